"""What a finished run leaves in doubt."""

from weakseg.pipeline.doubts import doubts
from weakseg.recipes.loading import load_recipe


def test_a_run_ends_with_what_its_last_masks_lack_and_how_to_mend_it_where_it_was_lost():
    def lacking(**without):
        stages = {
            stage: {
                "summary": {
                    "presence": {"tagged": 9, "empty": count, "classes": {"cat": {"tagged": 9, "without": count}}}
                }
            }
            for stage, count in without.items()
        }
        return doubts(load_recipe("auto"), {"stages": stages, "weights": {}})

    (line,) = lacking(localize=4, refine=3, selftrain=2)
    assert line.startswith("selftrain: 2 of 9 tagged photos have no pixel of their tags")
    assert "refine.background.weight" in line
    assert lacking(localize=4, refine=3, selftrain=0) == []
    (line,) = lacking(localize=4)
    assert "localize.background.weight" in line

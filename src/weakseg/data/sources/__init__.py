"""Where photos and tags come from: one file per kind of source."""

"use strict";
(() => {
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const one = (selector, inside = document) => inside.querySelector(selector);
  document.documentElement.classList.add("js");

  // Tables that sort by a click on a heading: the first click brings the largest figures, or names from A to Z, to the top.
  for (const table of all("table.sortable")) {
    const headings = all("thead th", table);
    headings.forEach((heading, column) => one("button", heading).addEventListener("click", () => {
      const first = column === 0 ? "ascending" : "descending";
      const now = heading.getAttribute("aria-sort");
      const way = now ? (now === "ascending" ? "descending" : "ascending") : first;
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", way);
      const key = (row) => row.cells[column].dataset.value;
      const sign = way === "ascending" ? 1 : -1;
      const order = (a, b) => {
        if (key(a) === undefined || key(b) === undefined) return (key(a) === undefined) - (key(b) === undefined);
        if (column === 0) return sign * a.cells[0].textContent.localeCompare(b.cells[0].textContent);
        return sign * (key(a) - key(b));
      };
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
    }));
  }

  // On paper everything is open but the recipe.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("#scores details:not([open])");
    opened.forEach((part) => { part.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((part) => { part.open = false; }));

  const gallery = one(".gallery");
  if (!gallery) return;
  const tools = one(".tools"), items = all("li", gallery), dialog = one("#closer"), chips = all("button.chip");
  const layers = all("input[name=layer]", tools);
  const titles = new Map(layers.map((input) => [input.value, input.parentNode.textContent.trim()]));
  const number = (item, name) => (item.dataset[name] === undefined ? null : Number(item.dataset[name]));
  const card = (item) => one(".card", item);
  const list = () => one("input[name=list]:checked", tools);
  const shown = () => [...gallery.children].filter((item) => !item.hidden);
  let wanted = null;

  function show() {
    const role = list() ? list().value : null;
    for (const item of items) {
      const classes = item.dataset.classes.split(" ");
      item.hidden = (role !== null && item.dataset.list !== role) || (wanted !== null && !classes.includes(wanted));
    }
    const count = shown().length;
    one("#count").textContent = `${count} ${count === 1 ? "photo" : "photos"}`;
    one("#empty").hidden = count > 0;
    reach(shown()[0]);
  }

  // One photo is in the tab order; arrows go on from there.
  function reach(item) {
    for (const other of items) card(other).tabIndex = -1;
    if (item) card(item).tabIndex = 0;
  }

  function sort() {
    const [name, way] = one("select[name=sort]").value.split("-");
    const sign = way === "down" ? -1 : 1;
    const order = (a, b) => {
      const place = a.dataset.place - b.dataset.place, left = number(a, name), right = number(b, name);
      if (name === "list") return place;
      if (left === null || right === null) return (left === null) - (right === null) || place;
      return sign * (left - right) || place;
    };
    gallery.append(...items.sort(order));
    reach(shown()[0]);
  }

  function layer() {
    const held = list() ? list().dataset.layers.split(" ") : [...titles.keys()];
    for (const input of layers) input.parentNode.hidden = input.value !== "none" && !held.includes(input.value);
    let chosen = one("input[name=layer]:checked", tools);
    if (chosen.parentNode.hidden) {
      const masks = held.filter((key) => key !== "truth");
      chosen = layers.find((input) => input.value === masks[masks.length - 1]);
      chosen.checked = true;
    }
    gallery.dataset.show = chosen.value;
  }

  function strength(value) {
    document.documentElement.style.setProperty("--strength", value / 100);
    for (const input of all(".strength")) input.value = value;
    for (const output of all(".range b")) output.textContent = `${value} %`;
    grey();
  }

  function grey() {
    const on = one("input[name=grey]").checked && Number(one(".strength").value) > 0;
    for (const part of [gallery, one(".panels")]) part.toggleAttribute("data-grey", on);
  }

  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.addEventListener("change", (event) => {
    if (event.target.name === "list") { layer(); show(); }
    if (event.target.name === "layer") layer();
    if (event.target.name === "sort") sort();
    if (event.target.name === "grey") grey();
  });
  for (const input of all(".strength")) input.addEventListener("input", () => strength(Number(input.value)));
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      wanted = wanted === chip.dataset.class ? null : chip.dataset.class;
      for (const other of chips) other.setAttribute("aria-pressed", String(other.dataset.class === wanted));
      show();
    });
  }

  function across() {
    const items = shown(), top = items[0].offsetTop;
    const next = items.findIndex((item) => item.offsetTop !== top);
    return next < 0 ? items.length : next;
  }

  gallery.addEventListener("keydown", (event) => {
    const photos = shown(), at = photos.indexOf(event.target.closest("li"));
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across(), ArrowDown: across(), Home: -at, End: photos.length - 1 - at };
    if (at < 0 || !(event.key in steps)) return;
    event.preventDefault();
    const next = photos[at + steps[event.key]];
    if (!next) return;
    reach(next);
    card(next).focus();
  });

  // A photo enlarged, with everything that lies over it side by side.
  let open = null;

  function panel(title, parts) {
    const figure = document.createElement("figure"), caption = document.createElement("figcaption");
    const frame = document.createElement("div");
    caption.textContent = title;
    frame.className = "frame";
    frame.append(...parts);
    figure.append(caption, frame);
    return figure;
  }

  function figure(name, value) {
    const part = document.createElement("span"), text = document.createElement("b");
    text.textContent = `${(100 * value).toFixed(1)} %`;
    part.append(`${name} `, text);
    return part;
  }

  function enlarge(item) {
    open = item;
    reach(item);
    const photo = one(".photo", item), facts = [one(".tags", item).cloneNode(true)];
    if (number(item, "miou") !== null) facts.push(figure("IoU", number(item, "miou")));
    if (number(item, "doubt") !== null) facts.push(figure("doubt", number(item, "doubt")));
    one("#closer-name").textContent = one(".name", item).textContent;
    one(".facts").replaceChildren(...facts);
    const panels = photo ? [panel("Photo", [photo.cloneNode()])] : [panel("Photo", [one(".none", item).cloneNode(true)])];
    panels[0].className = "plain";
    for (const [key, title] of titles) {
      const over = one(`[data-layer="${key}"]`, item);
      if (over) panels.push(panel(title, [photo.cloneNode(), over.cloneNode(true)]));
    }
    for (const image of panels.flatMap((part) => all(".photo", part))) image.alt = one(".name", item).textContent;
    one(".panels").replaceChildren(...panels);
    const iou = JSON.parse(card(item).dataset.iou || "{}");
    one(".each").replaceChildren(...Object.entries(iou).map(([name, value]) => figure(`IoU of ${name}`, value)));
    if (!dialog.open) dialog.showModal();
  }

  function giveBack() {
    if (open) card(open).focus();
  }

  function shut() {
    dialog.close();  // the browser gives the focus to the photo that was enlarged first
    giveBack();
  }

  function move(step) {
    const photos = shown(), next = photos[photos.indexOf(open) + step];
    if (next) enlarge(next);
  }

  for (const item of items) card(item).addEventListener("click", () => enlarge(item));
  dialog.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (event.target === dialog || (button && "close" in button.dataset)) shut();
    else if (button) move(Number(button.dataset.move));
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.target.matches("input") || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    event.preventDefault();
    move(event.key === "ArrowLeft" ? -1 : 1);
  });
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); shut(); });
  dialog.addEventListener("close", giveBack);

  layer();
  show();
  strength(65);
})();

"use strict";
// One photo at a time: its mask as an array of label values, drawn over it, written at once after every change.
const $ = (id) => document.getElementById(id);
const HINTS = {
  region: "A click gives the whole region under it the chosen class.",
  brush: "Paint with the chosen class.",
  erase: "Paint with background.",
  piece: "A click gives a super-pixel the chosen class.",
};
const UNDO = 60, KEPT = 5;
const kept = new Map();  // the last photos: what can be taken back in them
const view = $("view"), pen = view.getContext("2d");
let about, index = 0, photo = null, tool = "region", chosen = 0, stroke = null, saving = Promise.resolve(), pending = 0;
let loading = 0;

function tell(text) { $("message").textContent = text; $("message").hidden = !text; }

async function ask(path, options) {
  const answer = await fetch(path, options);
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({ detail: answer.statusText }));
  throw Object.assign(new Error(String(said.detail)), { status: answer.status });
}

async function pixels(path) {
  const bitmap = await createImageBitmap(await (await ask(path)).blob(), { colorSpaceConversion: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return { bitmap, data: context.getImageData(0, 0, bitmap.width, bitmap.height).data };
}

async function show(at, message = "") {
  await saving;
  if (photo && photo.unsaved && !photo.stale) { await save(); if (photo.unsaved) return; }
  if (photo) { kept.set(photo.id, photo); if (kept.size > KEPT) kept.delete(kept.keys().next().value); }
  const turn = ++loading;
  index = Math.max(0, Math.min(about.photos.length - 1, at));
  photo = null;
  try {
    const query = "?id=" + encodeURIComponent(about.photos[index].id);
    const [state, image, mask, own] = await Promise.all([
      ask("api/photo" + query).then((answer) => answer.json()), pixels("api/image" + query),
      pixels("api/mask" + query), pixels("api/mask" + query + "&own=true"),
    ]);
    if (turn !== loading) return;
    const values = (found) => Uint8Array.from({ length: found.data.length / 4 }, (_, i) => found.data[4 * i]);
    const { width, height } = image.bitmap;
    if (mask.bitmap.width !== width || mask.bitmap.height !== height) throw new Error("the mask has another size than its photo");
    photo = { ...state, bitmap: image.bitmap, width, height, mask: values(mask), own: values(own), undo: [], pieces: null };
    const before = kept.get(photo.id);
    if (before && before.version === photo.version) photo.undo = before.undo;
    view.width = width; view.height = height;
    tell(message);
    draw(); tellState();
  } catch (error) { tell(`${about.photos[index].id}: ${error.message}`); tellState(); }
}

function colours() {
  const table = new Uint32Array(256);
  const opaque = Math.round(255 * $("strength").value / 100);
  for (const each of about.classes) if (each.value) table[each.value] = (opaque << 24 | each.colour[2] << 16 | each.colour[1] << 8 | each.colour[0]) >>> 0;
  table[255] = (opaque << 24 | 0xffffff) >>> 0;
  return table;
}

function draw() {
  if (!photo) return;
  const over = new ImageData(photo.width, photo.height), table = colours(), words = new Uint32Array(over.data.buffer);
  for (let i = 0; i < words.length; i++) words[i] = table[photo.mask[i]];
  const layer = new OffscreenCanvas(photo.width, photo.height);
  layer.getContext("2d").putImageData(over, 0, 0);
  pen.drawImage(photo.bitmap, 0, 0);
  pen.drawImage(layer, 0, 0);
}

function tellState() {
  const entry = about.photos[index], sure = entry.doubt === null ? "" : `, doubt ${(100 * entry.doubt).toFixed(0)} %`;
  const done = about.photos.filter((each) => each.decision).length;
  $("place").textContent = `${index + 1} of ${about.photos.length} (${done} done): ${entry.id}${sure}`;
  const decision = photo ? photo.decision : entry.decision;
  $("state").textContent = (decision || "not decided") + (pending ? ", writing" : "");
  document.body.dataset.ready = photo && !pending ? entry.id : "";
  for (const button of document.querySelectorAll("[data-tool]")) button.setAttribute("aria-checked", button.dataset.tool === tool);
  for (const button of document.querySelectorAll("#legend button")) button.setAttribute("aria-pressed", Number(button.dataset.value) === about.classes[chosen].value);
  $("hint").textContent = HINTS[tool];
  $("radius").textContent = `${$("size").value} px`;
  $("given").textContent = photo ? photo.tags.join(", ") || "none" : "";
  if (!photo) return;
  for (const box of document.querySelectorAll("#tags input")) box.checked = photo.tags.includes(box.value);
  const held = new Set(photo.mask);
  const names = about.classes.filter((each) => each.value && held.has(each.value) && !photo.tags.includes(each.name)).map((each) => each.name);
  $("lacking").textContent = names.length ? `In the mask, but not among the tags: ${names.join(", ")} (t adds it)` : "";
}

function remember() {
  photo.undo.push({ mask: photo.mask.slice(), decision: photo.decision, tags: photo.tags.slice() });
  if (photo.undo.length > UNDO) photo.undo.shift();
}

const same = (left, right) => left.length === right.length && left.every((each) => right.includes(each));

async function encoded(mask, width, height) {
  const image = new ImageData(width, height), words = new Uint32Array(image.data.buffer);
  for (let i = 0; i < mask.length; i++) words[i] = (0xff000000 | mask[i] * 0x010101) >>> 0;
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer());
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}

function save() {
  const target = photo, at = index, mask = photo.mask.slice();
  const { decision } = photo, retagged = !same(photo.tags, photo.own_tags), tags = photo.tags.slice();
  pending++; tellState();
  saving = saving.then(async () => {
    try {
      if (target.stale) return;
      const body = { id: target.id, version: target.version, decision, tags: retagged ? tags : null };
      if (decision === "corrected") body.mask = await encoded(mask, target.width, target.height);
      const answer = await ask("api/review", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
      target.version = (await answer.json()).version;
      about.photos[at].decision = decision;
      target.unsaved = false;
      tell("");
    } catch (error) {
      target.unsaved = true;
      if (error.status === 409) {
        target.stale = true;
        setTimeout(() => show(at, `${target.id} was changed in another window. This is its newest state; your last change is not in it.`));
      } else tell(`Not written: ${error.message}. Is weakseg review still running? The next change writes it again.`);
    } finally { pending--; tellState(); }
  });
  return saving;
}

function decide(decision) {
  remember();
  if (decision === "accepted" && !sameMask(photo.mask, photo.own)) { tell("A mask drawn by hand is kept as corrected; undo (z) takes it back."); decision = "corrected"; }
  photo.decision = decision;
  const at = index;
  save().then(() => { if (photo && index === at && !photo.stale && !photo.unsaved) show(at + 1); });
}

function retag(name, on) {
  remember();
  photo.tags = on ? [...photo.tags, name] : photo.tags.filter((each) => each !== name);
  const retagged = !same(photo.tags, photo.own_tags);
  if (!photo.decision && retagged) photo.decision = "tags";
  else if (photo.decision === "tags" && !retagged) photo.decision = null;
  save();
}

function undo() {
  const before = photo.undo.pop();
  if (!before) { tell("Nothing to take back in this photo; the left arrow goes back to the one before."); return; }
  Object.assign(photo, before);
  draw(); save();
}

function place(event) {
  // object-fit: contain leaves bands beside the picture.
  const box = view.getBoundingClientRect(), scale = Math.min(box.width / photo.width, box.height / photo.height);
  const x = (event.clientX - box.left - (box.width - photo.width * scale) / 2) / scale;
  const y = (event.clientY - box.top - (box.height - photo.height * scale) / 2) / scale;
  return [Math.floor(x), Math.floor(y)];
}

const inside = ([x, y]) => x >= 0 && y >= 0 && x < photo.width && y < photo.height;
const value = () => tool === "erase" ? 0 : about.classes[chosen].value;

function fillRegion([x, y]) {
  const { mask, width } = photo, from = mask[y * width + x], to = value(), stack = [y * width + x];
  if (from === to) return;
  while (stack.length) {
    const i = stack.pop();
    if (mask[i] !== from) continue;
    mask[i] = to;
    const column = i % width;
    if (column) stack.push(i - 1);
    if (column < width - 1) stack.push(i + 1);
    if (i >= width) stack.push(i - width);
    if (i + width < mask.length) stack.push(i + width);
  }
}

async function loadPieces(target) {
  if (target.pieces) return;
  tell("Super-pixels are being computed.");
  const found = await pixels("api/superpixels?id=" + encodeURIComponent(target.id));
  target.pieces = Uint16Array.from({ length: target.mask.length }, (_, i) => found.data[4 * i] + 256 * found.data[4 * i + 1]);
  tell("");
}

function fillPiece([x, y]) {
  const { pieces, mask, width } = photo, piece = pieces[y * width + x], to = value();
  for (let i = 0; i < pieces.length; i++) if (pieces[i] === piece) mask[i] = to;
}

function line([x0, y0], [x1, y1]) {
  const radius = Number($("size").value) / 2, steps = Math.max(1, Math.ceil(Math.hypot(x1 - x0, y1 - y0)));
  for (let step = 0; step <= steps; step++) {
    const cx = x0 + (x1 - x0) * step / steps, cy = y0 + (y1 - y0) * step / steps;
    for (let y = Math.max(0, Math.ceil(cy - radius)); y <= Math.min(photo.height - 1, cy + radius); y++)
      for (let x = Math.max(0, Math.ceil(cx - radius)); x <= Math.min(photo.width - 1, cx + radius); x++)
        if ((x - cx) ** 2 + (y - cy) ** 2 <= radius * radius) photo.mask[y * photo.width + x] = value();
  }
}

function changed() {
  const last = photo.undo[photo.undo.length - 1];
  if (sameMask(last.mask, photo.mask)) { photo.undo.pop(); return; }
  photo.decision = "corrected";
  draw(); save();
}
function sameMask(left, right) { for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false; return true; }

view.addEventListener("pointerdown", async (event) => {
  if (!photo || event.button || stroke) return;
  const at = place(event);
  if (!inside(at)) return;
  const target = photo;
  if (tool === "piece") {
    try { await loadPieces(target); } catch (error) { tell(`No super-pixels: ${error.message}`); return; }
    if (photo !== target) return;
    remember(); fillPiece(at); changed();
    return;
  }
  remember();
  if (tool === "region") { fillRegion(at); changed(); return; }
  stroke = at;
  view.setPointerCapture(event.pointerId);
  line(at, at); draw();
});
view.addEventListener("pointermove", (event) => {
  if (!stroke || !photo) return;
  const at = place(event);
  line(stroke, at); stroke = at; draw();
});
for (const kind of ["pointerup", "pointercancel"]) view.addEventListener(kind, () => { if (stroke && photo) { stroke = null; changed(); } });

function press(key) {
  const tools = { g: "region", b: "brush", e: "erase", s: "piece" };
  if (stroke) return false;
  if (key in tools) tool = tools[key];
  else if (/^[0-9]$/.test(key) && Number(key) < about.classes.length) chosen = Number(key);
  else if (key === "[" || key === "]") $("size").value = Math.round(Number($("size").value) * (key === "[" ? 0.8 : 1.25) + (key === "[" ? -0.5 : 0.5));
  else if (key === "ArrowRight") show(index + 1);
  else if (key === "ArrowLeft") show(index - 1);
  else if (key === "t") { $("tags").hidden = !$("tags").hidden; if (!$("tags").hidden) $("tags").querySelector("input")?.focus(); }
  else if (!photo) return false;
  else if (key === "a") decide("accepted");
  else if (key === "r") decide("rejected");
  else if (key === "z") undo();
  else return false;
  tellState();
  return true;
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat && /^[arz]$/.test(event.key)) return;
  if (event.target.type === "range" && event.key.startsWith("Arrow")) return;
  if (press(event.key)) event.preventDefault();
});
document.addEventListener("click", (event) => { const button = event.target.closest("[data-key]"); if (button) press(button.dataset.key); });
addEventListener("beforeunload", (event) => { if (pending || stroke) event.preventDefault(); });
$("previous").addEventListener("click", () => show(index - 1));
$("next").addEventListener("click", () => show(index + 1));
$("strength").addEventListener("input", draw);
$("size").addEventListener("input", tellState);

function legend() {
  about.classes.forEach((each, number) => {
    const button = document.createElement("button"), swatch = document.createElement("span"), item = document.createElement("li");
    swatch.className = "swatch";
    swatch.style.background = each.value ? `rgb(${each.colour.join(",")})` : "none";
    button.dataset.value = each.value;
    button.append(swatch, number < 10 ? `${number} ${each.name}` : each.name);
    button.addEventListener("click", () => { chosen = number; tellState(); });
    item.append(button);
    $("legend").append(item);
    if (!each.value) return;
    const label = document.createElement("label"), box = document.createElement("input");
    box.type = "checkbox"; box.value = each.name;
    box.addEventListener("change", () => photo && retag(each.name, box.checked));
    label.append(box, ` ${each.name}`);
    $("tags").append(label);
  });
}

ask("api/run").then((answer) => answer.json()).then((found) => {
  about = found;
  $("title").textContent = `weakseg review: ${found.run}`;
  $("command").textContent = found.next;
  legend();
  return show(0);
}).catch((error) => tell(error.message));

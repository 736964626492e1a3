// The painting place of the shot view: dots and strokes on a frame, kept as shares of the picture as hints.json has them.
// What is painted is handed to the page in a hidden field; the page speaks to this script by what it writes into another.
(() => {
  const byId = (id) => document.getElementById(id);
  const fresh = () => ({ film: "", shot: null, told: null, wanted: null, hints: [], keys: new Map(), done: [] });
  let state = fresh(), picture = null, stroke = null, cursor = null, isReady = false, last = "", isAsking = false, due = 0;

  // What goes to the page, and what comes from it.
  const put = (id, text) => { const field = document.querySelector(`#${id} textarea, #${id} input`);
    if (!field) return; field.value = text; field.dispatchEvent(new Event("input", { bubbles: true })); };
  let asked = 0;
  const ask = (words) => { isAsking = true; asked += 1; put("vc-wish", JSON.stringify({ ...words, asked })); };
  const text = () => {
    const head = { format: "vidcolor-hints", version: 1, ...(state.film ? { film: { name: state.film } } : {}) };
    const lines = state.hints.map((hint) => "  " + JSON.stringify(hint)).join(",\n");
    return JSON.stringify(head, null, 1).replace(/\n}$/, "") + `,\n "hints": [\n${lines}\n ]\n}\n`;
  };
  const publish = () => { put("vc-painted", state.hints.length ? text() : ""); list(); draw(); };
  const say = (words, isBad = false) => { const place = byId("vc-easel-say"); if (!place) return;
    place.textContent = words; place.className = isBad ? "vc-bad" : "vc-note"; };
  const show = (isOpen) => byId("vc-easel")?.classList.toggle("vc-open", isOpen);

  const hear = {
    shot: (told) => { begin(); Object.assign(state, { film: told.film, shot: told }); show(true);
      const slider = byId("vc-easel-frame"); slider.min = told.first; slider.max = told.first + told.times.length - 1;
      set(told);
      byId("vc-easel-title").textContent = `Shot ${told.shot}`; list(); say("");
      byId("vc-canvas").focus({ preventScroll: true });
      byId("vc-easel").scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" }); },
    frame: (told) => { set(told); },
    key: (told) => { state.keys.set(told.frame, told.picture); list();
      if (state.told?.frame === told.frame) load(); say(`Frame ${told.frame} has a coloured picture.`); },
    hints: (told) => { state.hints = JSON.parse(told.text).hints; state.done = [];
      publish(); say(`${count(state.hints.length, "hint")} on ${count(frames().length, "frame")}.`); },
    refused: (told) => { begin(); show(true); say(told.text, true); },
    closed: () => { state = fresh(); picture = null; stroke = null; put("vc-painted", ""); show(false); say(""); if (isReady) list(); },
  };
  new MutationObserver(() => {
    const found = document.querySelector("#vc-told [data-number]");
    if (!found || found.dataset.number === last) return;
    last = found.dataset.number; isAsking = false;
    const told = JSON.parse(found.dataset.told); hear[told.event](told); next();
  }).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-number"] });

  // Frames. One is asked for at a time; of those that were wished meanwhile, the last.
  const go = (frame) => {
    const { first, times } = state.shot;
    state.wanted = Math.min(Math.max(frame, first), first + times.length - 1);
    label(state.wanted); clearTimeout(due); due = setTimeout(next, 120);
  };
  const next = () => { if (!isAsking && state.shot && state.wanted !== null && state.wanted !== state.told?.frame)
    ask({ do: "frame", frame: state.wanted }); };
  const label = (frame) => { const { first, times } = state.shot;
    byId("vc-easel-frame").value = frame;
    byId("vc-easel-at").textContent = `Frame ${frame}, ${(times[frame - first] ?? 0).toFixed(2)} s`; };
  const set = (told) => { state.told = told; if (state.wanted === null || told.event === "shot") state.wanted = told.frame;
    stroke = null; if (state.wanted === told.frame) label(told.frame); load(); };
  const load = () => {
    const image = new Image(), frame = state.told.frame;
    image.onload = () => { if (state.told?.frame !== frame) return;
      picture = image; const canvas = byId("vc-canvas"), unit = Math.max(1, 960 / Math.max(image.width, image.height));
      canvas.width = Math.round(image.width * unit); canvas.height = Math.round(image.height * unit);
      canvas.style.setProperty("--shape", image.width / image.height);
      canvas.setAttribute("aria-label", `Frame ${frame}, to be painted on`); canvas.dataset.frame = frame; draw(); };
    image.src = state.keys.get(frame) ?? state.told.picture;
  };

  // Hints hold shares of the picture as it is stored; a film may be shown turned.
  const turn = { 0: ([x, y]) => [x, y], 90: ([x, y]) => [y, 1 - x], 180: ([x, y]) => [1 - x, 1 - y], 270: ([x, y]) => [1 - y, x] };
  const shown = (point) => turn[state.told.rotation](point);
  const stored = (point) => turn[(360 - state.told.rotation) % 360](point);
  const share = (part) => Math.round(Math.min(Math.max(part, 0), 1) * 1e4) / 1e4;
  const wide = (canvas) => state.told.rotation % 180 ? canvas.height : canvas.width;

  const draw = () => {
    const canvas = byId("vc-canvas"); if (!canvas || !picture || !state.told) return;
    const pen = canvas.getContext("2d");
    pen.globalCompositeOperation = "source-over"; pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    for (const hint of [...here(), ...(stroke ? [stroke] : [])]) lay(pen, canvas, hint);
    if (cursor) ring(pen, canvas);
  };
  const lay = (pen, canvas, hint) => {  // its colour over the light that is there, and a thin line where it was drawn
    const line = new Path2D(), points = hint.points.map(shown).map(([x, y]) => [x * canvas.width, y * canvas.height]);
    points.forEach(([x, y], place) => place ? line.lineTo(x, y) : line.moveTo(x, y));
    if (points.length === 1) line.lineTo(points[0][0] + 0.01, points[0][1]);
    pen.lineCap = pen.lineJoin = "round";
    for (const [way, colour, width] of [["color", hint.colour, 2 * hint.radius * wide(canvas)], ["source-over", "#0009", 5],
      ["source-over", hint.colour, 3]]) {
      pen.globalCompositeOperation = way; pen.strokeStyle = colour; pen.lineWidth = width; pen.stroke(line); }
  };
  const ring = (pen, canvas) => {
    const [x, y] = shown(cursor);
    for (const [colour, width] of [["#000c", 4], ["#fff", 1.5]]) {
      pen.globalCompositeOperation = "source-over"; pen.strokeStyle = colour; pen.lineWidth = width; pen.beginPath();
      pen.arc(x * canvas.width, y * canvas.height, Math.max(radius() * wide(canvas), 2), 0, 2 * Math.PI); pen.stroke(); }
  };

  // Painting.
  const radius = () => Number(byId("vc-easel-radius").value) / 100;
  const here = () => state.hints.filter((hint) => hint.frame === state.told?.frame);
  const note = () => { state.done.push({ frame: state.told.frame, before: here() }); if (state.done.length > 500) state.done.shift(); };
  const start = (point) => { stroke = { frame: state.told.frame, colour: byId("vc-easel-colour").value,
    radius: Math.round(radius() * 1e4) / 1e4, points: [point] }; };
  const extend = (point) => { const [x, y] = stroke.points.at(-1);
    if (Math.hypot(point[0] - x, point[1] - y) > Math.max(0.003, stroke.radius / 4) && stroke.points.length < 2000) stroke.points.push(point); };
  const finish = () => { if (!stroke) return; note(); state.hints.push(stroke);
    say(stroke.points.length > 1 ? "A stroke was painted." : "A dot was painted."); stroke = null; publish(); };
  const replace = (hints) => { state.hints = [...state.hints.filter((hint) => hint.frame !== state.told.frame), ...hints]; publish(); };
  const tools = {
    undo: () => { const place = state.done.findLastIndex((one) => one.frame === state.told?.frame);
      if (place < 0) { say("There is nothing to undo on this frame."); return; }
      replace(state.done.splice(place, 1)[0].before); say("Undone."); },
    clear: () => { if (!state.told) return; if (here().length) { note(); replace([]); }
      if (state.keys.delete(state.told.frame)) { ask({ do: "forget", frame: state.told.frame }); isAsking = false; load(); list(); }
      say("This frame is grey again."); },
    before: () => go(state.wanted - 1), next: () => go(state.wanted + 1), close: () => show(false),
    save: () => { const address = URL.createObjectURL(new Blob([text()], { type: "application/json" }));
      give("hints.json", address); setTimeout(() => URL.revokeObjectURL(address), 10000); },
    frame: () => { if (state.told) give(`${String(state.told.frame).padStart(8, "0")}.jpg`, state.told.picture); },
  };

  const give = (name, address) => { const link = document.createElement("a"); link.download = name; link.href = address; link.click(); };
  const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
  const frames = () => [...new Set([...state.hints.map((hint) => hint.frame), ...state.keys.keys()])].filter((one) => one !== undefined);
  const list = () => {
    const chips = frames().sort((a, b) => a - b).map((frame) => {
      const chip = document.createElement("button"), hints = state.hints.filter((hint) => hint.frame === frame).length;
      chip.type = "button"; chip.className = "vc-chip";
      chip.textContent = `Frame ${frame}: ` + [hints ? count(hints, "hint") : "", state.keys.has(frame) ? "a picture" : ""].filter(Boolean).join(", ");
      chip.onclick = () => { state.wanted = null; ask({ do: "open", frame }); };
      return chip; });
    byId("vc-easel-painted")?.replaceChildren(...chips);
  };

  const placed = (event) => { const box = byId("vc-canvas").getBoundingClientRect();
    return stored([share((event.clientX - box.left) / box.width), share((event.clientY - box.top) / box.height)]).map(share); };
  const moved = (event) => {
    const [x, y] = cursor ? shown(cursor) : [0.5, 0.5], far = event.shiftKey ? 0.05 : 0.01;
    const step = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }[event.key];
    cursor = stored([share(x + step[0]), share(y + step[1])]).map(share); if (stroke) extend(cursor);
  };
  const pressed = (event) => {
    if (!state.told) return;
    const keys = { " ": () => { cursor ??= [0.5, 0.5]; stroke = null; start(cursor); finish(); },
      Enter: () => { cursor ??= [0.5, 0.5]; if (stroke) finish(); else { start(cursor); say("A stroke begins: Enter ends it."); } },
      Escape: () => { stroke = null; }, "[": () => size(-1), "]": () => size(1) };
    if (event.key.startsWith("Arrow")) moved(event);
    else if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) tools.undo();
    else if (keys[event.key]) keys[event.key](); else return;
    event.preventDefault(); draw();
  };
  const size = (steps) => { const field = byId("vc-easel-radius"); field.value = Number(field.value) + steps * 0.4; sized(); };
  const sized = () => { byId("vc-easel-size").textContent = `${Number(byId("vc-easel-radius").value).toFixed(1)} %`; draw(); };

  const begin = () => {
    if (isReady || !byId("vc-easel")) return;
    isReady = true;
    const canvas = byId("vc-canvas");
    canvas.onpointerdown = (event) => { if (event.button || !state.told || !picture) return;
      canvas.setPointerCapture(event.pointerId); start(placed(event)); draw(); };
    canvas.onpointermove = (event) => { if (!state.told) return; cursor = placed(event); if (stroke && event.buttons) extend(cursor); draw(); };
    canvas.onpointerup = canvas.onpointercancel = () => finish();
    canvas.onpointerleave = () => { if (!stroke) { cursor = null; draw(); } };
    canvas.onblur = () => { cursor = null; draw(); };
    canvas.onkeydown = pressed;
    canvas.ondragover = (event) => event.preventDefault();
    canvas.ondrop = (event) => { event.preventDefault(); const field = document.querySelector("#vc-key input[type=file]");
      if (field && event.dataTransfer.files.length) { field.files = event.dataTransfer.files; field.dispatchEvent(new Event("change", { bubbles: true })); } };
    byId("vc-easel").addEventListener("click", (event) => { const button = event.target.closest("button");
      if (button?.dataset.do) tools[button.dataset.do]();
      if (button?.dataset.colour) byId("vc-easel-colour").value = button.dataset.colour; });
    byId("vc-easel-radius").oninput = sized;
    byId("vc-easel-frame").oninput = (event) => go(Number(event.target.value));
    byId("vc-easel-load").querySelector("input").onchange = async (event) => { const [file] = event.target.files; event.target.value = "";
      if (file && file.size > 1 << 20) say("This file is too large for hints.", true);
      else if (file) ask({ do: "load", text: await file.text() }); };
  };
  window.vcOpenShot = (shot) => { if (!byId("vc-easel")) return false; begin(); say("Fetching the frame\u2026"); ask({ do: "open", shot }); return true; };
})();

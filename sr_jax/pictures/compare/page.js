"use strict";
// Two of the pictures, or all, in panes of one size: all panes show the same part of their pictures.
(() => {
  const byId = (id) => document.getElementById(id);
  const stage = byId("stage");
  const views = [...document.querySelectorAll("#views figure")].map((figure) => ({
    name: figure.dataset.name, label: figure.dataset.label, kind: figure.dataset.kind, image: figure.querySelector("img"),
  }));
  const size = { width: Number(byId("views").dataset.width), height: Number(byId("views").dataset.height) };
  const find = (name) => views.find((view) => view.name === name);
  const MODES = [["slider", "Slider"], ["pair", "Side by side"], ["all", "All"]];
  const STEPS = [0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
  const last = views.filter((view) => view.kind === "picture").at(-1);
  const state = { left: "bicubic", right: "sr", mode: "slider", zoom: 1, x: size.width / 2, y: size.height / 2, fits: true };
  if (!find("bicubic")) state.left = views[0].name;
  if (!find("sr")) state.right = last.name;
  let panes = [], slider = null;

  // (x, y) is the point of the picture in the middle of each pane.
  const pane = () => panes[0].box.getBoundingClientRect();
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  // A whole number, if the picture is smaller than the pane, so that all squares are equal.
  const fitting = () => {
    const { width, height } = pane(), factor = Math.min(width / size.width, height / size.height);
    return factor > 1 ? Math.floor(factor) : factor;
  };
  const least = () => Math.min(fitting(), 1);

  function place() {
    if (!panes.length) return;
    const { width, height } = pane();
    if (!width || !height) return;
    if (state.fits) Object.assign(state, { zoom: fitting(), x: size.width / 2, y: size.height / 2 });
    const inside = (middle, whole, visible) =>
      visible >= whole ? whole / 2 : clamp(middle, visible / 2, whole - visible / 2);
    state.x = inside(state.x, size.width, width / state.zoom);
    state.y = inside(state.y, size.height, height / state.zoom);
    const left = width / 2 - state.zoom * state.x, top = height / 2 - state.zoom * state.y;
    for (const { box, image } of panes) {
      box.classList.toggle("reduced", state.zoom * devicePixelRatio < 1);
      image.style.width = `${state.zoom * size.width}px`;
      image.style.height = `${state.zoom * size.height}px`;
      image.style.transform = `translate(${left}px, ${top}px)`;
    }
    const percent = 100 * state.zoom;
    byId("factor").value = `${percent < 10 ? percent.toFixed(1) : Math.round(percent)}%`;
  }

  // The point of the picture at (px, py) of the pane stays where it is.
  function zoomTo(zoom, px, py) {
    const { width, height } = pane();
    const dx = (px ?? width / 2) - width / 2, dy = (py ?? height / 2) - height / 2;
    zoom = clamp(zoom, least(), STEPS.at(-1));
    state.x += dx / state.zoom - dx / zoom;
    state.y += dy / state.zoom - dy / zoom;
    Object.assign(state, { zoom, fits: false });
    place();
  }
  const step = (up, px, py) => zoomTo(
    (up ? STEPS.find((s) => s > state.zoom * 1.001) : STEPS.findLast((s) => s < state.zoom * 0.999)) ?? state.zoom, px, py);
  const fit = () => { state.fits = true; place(); };
  const pan = (dx, dy) => { state.x -= dx / state.zoom; state.y -= dy / state.zoom; place(); };

  function makePane(name, classes) {
    const view = find(name), box = document.createElement("div"), image = view.image.cloneNode();
    box.className = `pane ${classes}`;
    const label = document.createElement("span");
    label.className = "name";
    label.textContent = view.label;
    box.append(image, label);
    return { box, image };
  }

  function build() {
    const value = slider?.value ?? 50, had = slider?.contains(document.activeElement) || document.activeElement === slider;
    stage.replaceChildren();
    stage.className = state.mode === "slider" ? "" : "side";
    slider = null;
    if (state.mode === "slider") {
      slider = document.createElement("img-comparison-slider");
      slider.setAttribute("handle", "true");
      slider.setAttribute("role", "slider");
      slider.setAttribute("aria-label", `Divider between ${find(state.left).label} and ${find(state.right).label}`);
      panes = [makePane(state.left, "first"), makePane(state.right, "second")];
      panes[0].box.slot = "first";
      panes[1].box.slot = "second";
      const handle = document.createElement("div");
      handle.className = "handle";
      handle.slot = "handle";
      handle.innerHTML = "<i>⇔</i>";
      slider.append(panes[0].box, panes[1].box, handle);
      slider.setAttribute("tabindex", "0");
      slider.addEventListener("slide", announce);
      stage.append(slider);
      slider.value = value;
      stage.style.gridTemplateColumns = "1fr";
      announce();
      if (had) slider.focus();
    } else {
      panes = (state.mode === "pair" ? [state.left, state.right] : views.map((view) => view.name)).map((name) => makePane(name, ""));
      const columns = state.mode === "pair" ? 2 : Math.ceil(Math.sqrt(panes.length));
      stage.style.gridTemplateColumns = `repeat(${columns}, 1fr)`;
      stage.append(...panes.map(({ box }) => box));
      panes[0].box.tabIndex = 0;
    }
    for (const [id, name] of [["left", state.left], ["right", state.right], ["mode", state.mode]]) {
      const input = document.querySelector(`#${id} input[value="${name}"]`);
      if (input) input.checked = true;
    }
    place();
  }

  function announce() {
    slider.setAttribute("aria-valuenow", Math.round(slider.value));
    slider.setAttribute("aria-valuemin", 0);
    slider.setAttribute("aria-valuemax", 100);
  }
  const choose = (side, name) => { state[side] = name; build(); };
  const swap = () => { [state.left, state.right] = [state.right, state.left]; build(); };

  function addChoices(id, choices, change) {
    choices.forEach(([value, text], index) => {
      const label = document.createElement("label"), input = document.createElement("input"), span = document.createElement("span");
      Object.assign(input, { type: "radio", name: id, value });
      input.addEventListener("change", () => change(value));
      span.textContent = text;
      if (id === "left" || id === "right") span.title = `${id === "left" ? "Shift+" : ""}${index + 1}`;
      label.append(input, span);
      byId(id).append(label);
    });
  }

  // Drags, pinches and wheels on the panes. What begins on the handle belongs to the slider.
  const pointers = new Map();
  const within = (event) => {
    const box = panes.map(({ box }) => box.getBoundingClientRect()).find((r) =>
      event.clientX >= r.left && event.clientX < r.right && event.clientY >= r.top && event.clientY < r.bottom) ?? pane();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const onHandle = (event) => {
    const box = slider?.querySelector(".handle").getBoundingClientRect();
    return box && event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button || onHandle(event)) return;
    pointers.set(event.pointerId, event);
    stage.classList.add("moving");
  });
  addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const other = [...pointers.values()].find((one) => one.pointerId !== event.pointerId);
    pointers.set(event.pointerId, event);
    if (!other) return pan(event.clientX - before.clientX, event.clientY - before.clientY);
    const distance = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    pan((event.clientX - before.clientX) / 2, (event.clientY - before.clientY) / 2);
    const [ax, ay] = within(event), [bx, by] = within(other);
    zoomTo(state.zoom * distance(event) / Math.max(1, distance(before)), (ax + bx) / 2, (ay + by) / 2);
  });
  for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, (event) => {
    pointers.delete(event.pointerId);
    if (!pointers.size) stage.classList.remove("moving");
  });
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1;
    zoomTo(state.zoom * Math.exp(-clamp(event.deltaY * lines, -200, 200) / 400), ...within(event));
  }, { passive: false });
  stage.addEventListener("dblclick", (event) => { if (!onHandle(event)) step(!event.shiftKey, ...within(event)); });

  const ARROWS = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code), arrow = ARROWS[event.key];
    const isFree = state.mode !== "slider" && stage.contains(document.activeElement);
    const key = event.key.toLowerCase();
    if (digit) { const view = views[digit[1] - 1]; if (view) choose(event.shiftKey ? "left" : "right", view.name); }
    else if (arrow && (event.shiftKey || isFree)) { event.stopPropagation(); pan(...arrow); }
    else if (key === "+" || key === "=") step(true);
    else if (key === "-" || key === "_") step(false);
    else if (key === "0") fit();
    else if (key === "s") swap();
    else if (key === "v") choose("mode", MODES[(MODES.findIndex(([mode]) => mode === state.mode) + 1) % MODES.length][0]);
    else return;
    event.preventDefault();
  }, { capture: true });

  const names = views.map((view) => [view.name, view.label.split(" · ")[0]]);
  addChoices("left", names, (name) => choose("left", name));
  addChoices("right", names, (name) => choose("right", name));
  addChoices("mode", MODES, (mode) => choose("mode", mode));
  byId("swap").addEventListener("click", swap);
  byId("in").addEventListener("click", () => step(true));
  byId("out").addEventListener("click", () => step(false));
  byId("fit").addEventListener("click", fit);
  byId("one").addEventListener("click", () => zoomTo(1));
  byId("views").hidden = true;
  for (const id of ["tools", "stage", "keys"]) byId(id).hidden = false;
  build();
  const rest = () => {
    const used = stage.getBoundingClientRect().top + scrollY + Math.min(170, document.querySelector("footer").offsetHeight) + 24;
    document.documentElement.style.setProperty("--rest", `${used}px`);
  };
  rest();
  new ResizeObserver(() => { rest(); place(); }).observe(document.body);
  new ResizeObserver(place).observe(stage);
  place();
})();

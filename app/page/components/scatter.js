// A map of videos: points on a canvas, picked by pointer, keyboard or list. `trigger('pick', {id})` opens a video. `trigger('seen')`: its tab was opened.
// value: {x: [], y: [] (-1 to 1), ids: [], names: [], classes: [label], of: [index into classes, -1 for none], axes}
const LISTED = 120, REACH = 24; // videos in the list at once; pixels from which a point is picked
const find = (selector) => element.querySelector(selector);
const root = find('.scatter'), canvas = find('canvas'), tip = find('.tip'), search = find('input');
let map = null, colours = [], shown = [], view, size = {width: 0, height: 0}, only = null, chosen = -1, hovered = -1;

const HUES = ['#3b82d0', '#e07b26', '#2f9e62', '#d0486f', '#8a63d2', '#b58900', '#17a2b0', '#c26ac0', '#7b8a34', '#c8553d'];
const colour = (index) => index < 0 ? '#8b949e'
  : index < HUES.length ? HUES[index] : `hsl(${(index * 137.508) % 360} ${58 + index % 3 * 12}% ${44 + index % 2 * 12}%)`;
const label = (index) => map.of[index] < 0 ? 'no label' : map.classes[map.of[index]];

function place(index) {
  const side = Math.min(size.width, size.height) / 2 - 18;
  return [
    size.width / 2 + (map.x[index] - view.x) * side * view.zoom,
    size.height / 2 - (map.y[index] - view.y) * side * view.zoom,
  ];
}

const radius = () => map.ids.length > 3000 ? 2.6 : map.ids.length > 500 ? 3.6 : 5.5;

function fresh(target) { // a cleared canvas at the screen's resolution, and that resolution
  const scale = window.devicePixelRatio || 1;
  target.width = size.width * scale;
  target.height = size.height * scale;
  return [target.getContext('2d'), scale];
}

function stamp(fill, alpha, scale) { // a dot to be copied: thousands of arcs take ten times as long
  const reach = radius() * scale, dot = document.createElement('canvas'), context = dot.getContext('2d');
  dot.width = dot.height = Math.ceil(2 * reach) + 2;
  context.globalAlpha = alpha;
  context.fillStyle = fill;
  context.arc(dot.width / 2, dot.height / 2, reach, 0, 7);
  context.fill();
  return dot;
}

function points() {
  const [context, scale] = fresh(canvas), visible = new Uint8Array(map.ids.length);
  const faded = stamp(colour(-1), 0.14, scale), stamps = new Map();
  shown.forEach((index) => { visible[index] = 1; });
  for (const pass of [0, 1]) { // those that are left out below the others
    for (let index = 0; index < visible.length; index += 1) {
      if (visible[index] !== pass) continue;
      const group = map.of[index], [x, y] = place(index);
      if (pass && !stamps.has(group)) stamps.set(group, stamp(colours[group] || colour(-1), 0.85, scale));
      const dot = pass ? stamps.get(group) : faded;
      context.drawImage(dot, Math.round(x * scale - dot.width / 2), Math.round(y * scale - dot.height / 2));
    }
  }
}

function rings() {
  const [context, scale] = fresh(find('.rings'));
  context.scale(scale, scale);
  context.strokeStyle = getComputedStyle(root).getPropertyValue('--body-text-color');
  for (const index of [hovered, chosen]) {
    if (index < 0) continue;
    context.beginPath();
    context.arc(...place(index), radius() + 4, 0, 7);
    context.lineWidth = index === chosen ? 3 : 1.5;
    context.stroke();
  }
}

let waiting = 0, stale = false;
function draw(all = true) { // at most once a frame; the points only where they have changed
  stale ||= all;
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => {
    if (!map || !size.width) return;
    if (stale) points();
    stale = false;
    rings();
  });
}

function nearest(x, y, reach = REACH) {
  let best = -1, least = reach * reach;
  for (const index of shown) {
    const [px, py] = place(index), distance = (px - x) ** 2 + (py - y) ** 2;
    if (distance < least) [best, least] = [index, distance];
  }
  return best;
}

function towards(dx, dy) { // the nearest point in the direction of an arrow key
  const [x, y] = place(hovered);
  let best = hovered, least = Infinity;
  for (const index of shown) {
    const [px, py] = place(index), along = (px - x) * dx + (py - y) * dy, across = (px - x) * dy - (py - y) * dx;
    if (index === hovered || along <= 0 || Math.abs(across) > 2 * along) continue;
    const cost = along + 2 * Math.abs(across);
    if (cost < least) [best, least] = [index, cost];
  }
  return best;
}

function hover(index, speak = false) {
  hovered = index;
  tip.hidden = index < 0;
  if (index >= 0) {
    const [x, y] = place(index), head = document.createElement('b');
    head.textContent = label(index);
    tip.replaceChildren(head, map.names[index]);
    tip.style.left = `${Math.max(4, Math.min(x + 12, size.width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${y + 14 + tip.offsetHeight > size.height ? y - tip.offsetHeight - 10 : y + 14}px`;
    if (speak) find('.spoken').textContent = `${map.names[index]}, ${label(index)}. Press Enter to open.`;
  }
  draw(false);
}

function pick(index) {
  chosen = index;
  draw(false);
  trigger('pick', {id: map.ids[index]});
}

function choose() { // what the search box and the legend leave
  const words = search.value.toLowerCase();
  shown = map.ids.map((_, index) => index).filter((index) =>
    (only === null || map.of[index] === only) && map.names[index].toLowerCase().includes(words));
  find('.found').textContent = shown.length === map.ids.length
    ? `${map.ids.length} videos` : `${shown.length} of ${map.ids.length} videos`;
  element.querySelectorAll('.legend button').forEach((button) =>
    button.setAttribute('aria-pressed', String(Number(button.dataset.of) === only)));
  list();
  hover(-1);
  draw();
}

function list() {
  find('.list').replaceChildren(...shown.slice(0, LISTED).map((index) => {
    const item = document.createElement('li'), button = document.createElement('button'), mark = document.createElement('i');
    const kind = document.createElement('small');
    button.type = 'button';
    mark.style.background = colours[map.of[index]] || colour(-1);
    kind.textContent = label(index);
    button.append(mark, map.names[index], kind);
    button.addEventListener('click', () => pick(index));
    item.append(button);
    return item;
  }));
  find('.more').textContent = shown.length > LISTED
    ? `${shown.length - LISTED} more; narrow the list by a part of the name or by a class.` : '';
}

function legend() {
  const counts = new Map();
  map.of.forEach((group) => counts.set(group, (counts.get(group) || 0) + 1));
  const groups = [...map.classes.keys(), ...(counts.has(-1) ? [-1] : [])];
  find('.legend').replaceChildren(...groups.map((group) => {
    const button = document.createElement('button'), mark = document.createElement('i');
    const name = document.createElement('span'), count = document.createElement('small');
    button.type = 'button';
    button.dataset.of = group;
    mark.style.background = colour(group);
    name.textContent = group < 0 ? 'no label' : map.classes[group];
    count.textContent = counts.get(group);
    button.append(mark, name, count);
    button.addEventListener('click', () => { only = only === group ? null : group; choose(); });
    return button;
  }));
}

function zoom(factor, x = size.width / 2, y = size.height / 2) {
  const side = Math.min(size.width, size.height) / 2 - 18;
  const before = view.zoom, after = Math.min(60, Math.max(0.7, before * factor));
  view.x += (x - size.width / 2) / side * (1 / before - 1 / after);
  view.y -= (y - size.height / 2) / side * (1 / before - 1 / after);
  view.zoom = after;
  hover(-1);
  draw();
}

let dragged = null;
canvas.addEventListener('pointerdown', (event) => { dragged = {x: event.offsetX, y: event.offsetY, moved: false}; });
canvas.addEventListener('pointermove', (event) => {
  if (!map) return;
  if (!dragged || event.pointerType === 'touch') return hover(nearest(event.offsetX, event.offsetY));
  const side = Math.min(size.width, size.height) / 2 - 18;
  const dx = event.offsetX - dragged.x, dy = event.offsetY - dragged.y;
  if (!dragged.moved && Math.hypot(dx, dy) < 5) return;
  view.x -= dx / side / view.zoom;
  view.y += dy / side / view.zoom;
  dragged = {x: event.offsetX, y: event.offsetY, moved: true};
  hover(-1);
  draw();
});
canvas.addEventListener('pointerup', (event) => {
  const still = dragged && !dragged.moved;
  dragged = null;
  const index = still ? nearest(event.offsetX, event.offsetY) : -1;
  if (index >= 0) pick(index);
});
canvas.addEventListener('pointerleave', () => { dragged = null; if (map) hover(-1); });
canvas.addEventListener('wheel', (event) => {
  if (!event.ctrlKey && document.activeElement !== canvas) return; // a page that scrolls is not trapped
  event.preventDefault();
  zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
}, {passive: false});
canvas.addEventListener('keydown', (event) => {
  const arrow = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
  const index = hovered >= 0 ? hovered : chosen;
  if (arrow && shown.length) hovered >= 0 ? hover(towards(...arrow), true) : hover(index >= 0 ? index : shown[0], true);
  else if ((event.key === 'Enter' || event.key === ' ') && hovered >= 0) pick(hovered);
  else if (event.key === '+' || event.key === '-') zoom(event.key === '+' ? 1.5 : 1 / 1.5);
  else return;
  event.preventDefault();
});
element.querySelectorAll('[data-zoom]').forEach((button) => button.addEventListener('click', () => {
  const factor = Number(button.dataset.zoom);
  if (factor) return zoom(factor);
  view = {x: 0, y: 0, zoom: 1};
  hover(-1);
  draw();
}));
search.addEventListener('input', choose);
new ResizeObserver(() => {
  size = {width: canvas.clientWidth, height: canvas.clientHeight};
  draw();
}).observe(canvas);

function show() {
  root.hidden = !props.value;
  if (!props.value) return;
  const before = chosen >= 0 && map ? map.ids[chosen] : null;
  map = JSON.parse(props.value);
  colours = map.classes.map((_, index) => colour(index));
  view = {x: 0, y: 0, zoom: 1};
  only = null;
  chosen = before === null ? -1 : map.ids.indexOf(before);
  find('.axes').textContent = map.axes;
  canvas.setAttribute('aria-label', `Map of ${map.ids.length} videos. ${map.axes} Arrow keys go from video to video, ` +
    'Enter opens one, plus and minus zoom. The same videos are in the list below.');
  legend();
  choose();
}
watch('value', show);
new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) trigger('seen'); },
  {rootMargin: '99999px'}).observe(element); // anywhere on the page, but not in a hidden tab
show();

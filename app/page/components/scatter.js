// A map of videos: points on a canvas, picked by pointer, keyboard or list, ticked by drawing around them.
// `trigger('pick', {id})` opens a video. `trigger('seen')`: its tab was opened.
// value: {x: [], y: [] (-1 to 1), ids: [], names: [], labels: [text or null], axes,
//   colourings: [{name, kinds: [text], of: [index into kinds, -1 for none], ordered}]}
const LISTED = 120, REACH = 24; // videos in the list at once; pixels from which a point is picked
const find = (selector) => element.querySelector(selector);
const root = find('.scatter'), canvas = find('canvas'), tip = find('.tip'), search = find('input'), by = find('.by');
const lasso = find('.lasso'), ticks = window.rspnetTicks;
let map = null, kinds = [], of = [], colours = [], shown = [], view, size = {width: 0, height: 0}, only = null, chosen = -1, hovered = -1;

const HUES = ['#3b82d0', '#e07b26', '#2f9e62', '#d0486f', '#8a63d2', '#b58900', '#17a2b0', '#c26ac0', '#7b8a34', '#c8553d'];
const colour = (index) => index < 0 ? '#8b949e'
  : index < HUES.length ? HUES[index] : `hsl(${(index * 137.508) % 360} ${58 + index % 3 * 12}% ${44 + index % 2 * 12}%)`;
const steps = (index, count) => `hsl(${225 - 225 * index / Math.max(count - 1, 1)} 68% 50%)`; // blue to red
const kind = (index) => of[index] < 0 ? 'not known' : kinds[of[index]];
const label = (index) => map.labels[index] ?? 'no label';

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
      const group = of[index], [x, y] = place(index);
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
  context.lineWidth = 2;
  for (let index = 0; index < map.ids.length; index += 1) {
    if (!ticks.has(map.ids[index])) continue;
    context.beginPath();
    context.arc(...place(index), radius() + 1.5, 0, 7);
    context.stroke();
  }
  if (drawn.length) {
    context.beginPath();
    drawn.forEach((corner) => context.lineTo(...corner));
    context.closePath();
    context.setLineDash([5, 4]);
    context.lineWidth = 1.5;
    context.stroke();
    context.setLineDash([]);
  }
  for (const index of [hovered, chosen]) {
    if (index < 0) continue;
    context.beginPath();
    context.arc(...place(index), radius() + 4, 0, 7);
    context.lineWidth = index === chosen ? 3 : 1.5;
    context.stroke();
  }
}

let drawn = []; // corners of the line that is being drawn around points

function inside(x, y) { // whether a place lies in it: a ray from there crosses it an odd number of times
  let is = false;
  drawn.forEach(([ax, ay], index) => {
    const [bx, by] = drawn.at(index - 1);
    if ((ay > y) !== (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax) is = !is;
  });
  return is;
}

function enclose() { // tick what the line goes around
  const ids = shown.filter((index) => inside(...place(index))).map((index) => map.ids[index]);
  drawn = [];
  ticks.toggle(ids, true);
  find('.spoken').textContent = `${ids.length} videos ticked`;
  draw(false);
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

let resting = 0;

function hover(index, speak = false) {
  clearTimeout(resting);
  hovered = index;
  tip.hidden = index < 0;
  if (index >= 0) {
    const head = document.createElement('b');
    head.textContent = label(index);
    tip.replaceChildren(head, map.names[index], ...(by.value === 'class' ? [] : [` (${kind(index)})`]));
    resting = setTimeout(() => { // a picture of what the pointer rests on, not of all that it passes
      const poster = document.createElement('img');
      poster.alt = '';
      poster.src = `media/poster/${map.ids[index]}.jpg`;
      poster.addEventListener('load', () => { if (hovered === index) { tip.prepend(poster); beside(index); } });
    }, 150);
    beside(index);
    if (speak) find('.spoken').textContent = `${map.names[index]}, ${label(index)}. Press Enter to open, X to tick.`;
  }
  draw(false);
}

function beside(index) { // the tip, where it does not leave the map
  const [x, y] = place(index);
  tip.style.left = `${Math.max(4, Math.min(x + 12, size.width - tip.offsetWidth - 4))}px`;
  tip.style.top = `${y + 14 + tip.offsetHeight > size.height ? y - tip.offsetHeight - 10 : y + 14}px`;
}

function pick(index) {
  chosen = index;
  draw(false);
  trigger('pick', {id: map.ids[index]});
}

function choose() { // what the search box and the legend leave
  const words = search.value.toLowerCase();
  shown = map.ids.map((_, index) => index).filter((index) =>
    (only === null || of[index] === only) && map.names[index].toLowerCase().includes(words));
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
    const about = document.createElement('small'), box = document.createElement('input');
    button.type = 'button';
    mark.style.background = colours[of[index]] || colour(-1);
    about.textContent = label(index);
    button.append(mark, map.names[index], about);
    button.addEventListener('click', () => pick(index));
    box.type = 'checkbox';
    box.dataset.tick = map.ids[index];
    box.setAttribute('aria-label', `Tick ${map.names[index]}`);
    item.append(box, button);
    return item;
  }));
  find('.more').textContent = shown.length > LISTED
    ? `${shown.length - LISTED} more; narrow the list by a part of the name or by a kind.` : '';
}

function legend() {
  const counts = new Map();
  of.forEach((group) => counts.set(group, (counts.get(group) || 0) + 1));
  const groups = [...kinds.keys(), ...(counts.has(-1) ? [-1] : [])];
  find('.legend').replaceChildren(...groups.map((group) => {
    const button = document.createElement('button'), mark = document.createElement('i');
    const name = document.createElement('span'), count = document.createElement('small');
    button.type = 'button';
    button.dataset.of = group;
    mark.style.background = colours[group] || colour(-1);
    name.textContent = group < 0 ? 'not known' : kinds[group];
    count.textContent = counts.get(group);
    button.append(mark, name, count);
    button.addEventListener('click', () => { only = only === group ? null : group; choose(); });
    return button;
  }));
}

function paint() { // by what the select says
  const colouring = map.colourings.find((each) => each.name === by.value) ?? {kinds: [], of: map.ids.map(() => -1)};
  ({kinds, of} = colouring);
  colours = kinds.map((_, index) => colouring.ordered ? steps(index, kinds.length) : colour(index));
  only = null;
  legend();
  choose();
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
const isDrawing = () => lasso.getAttribute('aria-pressed') === 'true';
canvas.addEventListener('pointerdown', (event) => {
  if (event.shiftKey || isDrawing()) {
    canvas.setPointerCapture(event.pointerId);
    drawn = [[event.offsetX, event.offsetY]];
  } else dragged = {x: event.offsetX, y: event.offsetY, moved: false};
});
canvas.addEventListener('pointermove', (event) => {
  if (!map) return;
  if (drawn.length) {
    drawn.push([event.offsetX, event.offsetY]);
    return draw(false);
  }
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
  if (drawn.length) return enclose();
  const still = dragged && !dragged.moved;
  dragged = null;
  const index = still ? nearest(event.offsetX, event.offsetY) : -1;
  if (index >= 0) pick(index);
});
canvas.addEventListener('pointercancel', () => { drawn = []; if (map) draw(false); });
lasso.addEventListener('click', () => {
  lasso.setAttribute('aria-pressed', String(!isDrawing()));
  canvas.style.touchAction = isDrawing() ? 'none' : '';
});
document.addEventListener('rspnet-ticks', () => draw(false));
by.addEventListener('change', paint);
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
  else if (event.key.toLowerCase() === 'x' && hovered >= 0) ticks.toggle([map.ids[hovered]]);
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
  const wanted = by.value;
  by.replaceChildren(...map.colourings.map(({name}) => new Option(name, name, false, name === wanted)));
  view = {x: 0, y: 0, zoom: 1};
  chosen = before === null ? -1 : map.ids.indexOf(before);
  find('.axes').textContent = map.axes;
  canvas.setAttribute('aria-label', `Map of ${map.ids.length} videos. ${map.axes} Arrow keys go from video to video, ` +
    'Enter opens one, X ticks it, plus and minus zoom. The same videos are in the list below.');
  paint();
}
watch('value', show);
new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) trigger('seen'); },
  {rootMargin: '99999px'}).observe(element); // anywhere on the page, but not in a hidden tab
show();

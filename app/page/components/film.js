// Heat maps as a film: a row for each video; columns frame, motion, appearance; rectangles drawn over the maps.
// value: app/film.py's film(); boxes: its rectangles(). Every panel's frames are one picture, moved behind a window.
const find = (selector) => element.querySelector(selector);
const root = find('.film'), slider = find('input'), play = find('.film-run'), SVG = 'http://www.w3.org/2000/svg';
const STEP_MS = 125; // a clip of 16 frames lasts two seconds: maps need time to be looked at
let film = null, boxes = null, panels = [], timer = null;

const make = (name, text = '', kind = '') => Object.assign(document.createElement(name), {textContent: text, className: kind});
const percent = (share) => `${Math.round(100 * share)} %`;

function heading(title, detail) {
  const head = make('h4', title);
  head.append(make('small', detail));
  return head;
}

function panel(side, position, head, title) {
  const figure = make('figure'), view = make('div', '', 'film-panel'), caption = make('figcaption');
  const rows = Math.ceil(film.frames / film.columns);
  view.style.backgroundImage = `url(${side[head]})`;
  view.style.backgroundSize = `${100 * film.columns}% ${100 * rows}%`;
  view.setAttribute('role', 'img');
  view.setAttribute('aria-label', head === 'frame' ? `${side.role} clip, as the encoder sees it`
    : `${title} map over the ${side.role.toLowerCase()} clip; the brighter, the more a place adds to the similarity`);
  const drawing = document.createElementNS(SVG, 'svg');
  drawing.setAttribute('viewBox', '0 0 1 1');
  drawing.setAttribute('aria-hidden', 'true');
  view.append(drawing);
  figure.append(view, caption);
  panels.push({view, drawing, caption, position, head, rows});
  return figure;
}

function rectangle([left, top, right, bottom], kind) {
  const shape = document.createElementNS(SVG, 'rect'), inset = 0.004;
  const place = {x: left + inset, y: top + inset, width: right - left - 2 * inset, height: bottom - top - 2 * inset};
  Object.entries(place).forEach(([name, value]) => shape.setAttribute(name, Math.max(0, value)));
  shape.setAttribute('class', kind);
  return shape;
}

function step() {
  const frame = Number(slider.value);
  for (const {view, drawing, position, head, rows} of panels) {
    const column = frame % film.columns, row = Math.floor(frame / film.columns);
    view.style.backgroundPosition =
      `${film.columns > 1 ? 100 * column / (film.columns - 1) : 0}% ${rows > 1 ? 100 * row / (rows - 1) : 0}%`;
    const found = boxes && head !== 'frame' ? boxes.sides[position][head].frames[frame] || [] : [];
    drawing.replaceChildren(...found.flatMap((box) => [rectangle(box, 'edge'), rectangle(box, 'line')]));
  }
  const times = film.sides.map((side) => (side.start + (side.end - side.start) * frame / film.frames).toFixed(2));
  find('output').textContent = `${frame + 1} of ${film.frames}`;
  slider.setAttribute('aria-valuetext', `frame ${frame + 1} of ${film.frames}, query at ${times[0]} s, match at ${times[1]} s`);
}

function captions() {
  for (const {caption, position, head} of panels) {
    if (head === 'frame') continue;
    const shares = boxes?.sides[position][head].shares;
    caption.textContent = shares ? `in rectangles: ${percent(shares.energy)} of the map, ${percent(shares.area)} of the area` : '';
  }
}

function run(on) {
  clearInterval(timer);
  timer = on ? setInterval(() => {
    if (!root.isConnected) return clearInterval(timer);
    slider.value = (Number(slider.value) + 1) % film.frames;
    step();
  }, STEP_MS) : null;
  play.textContent = on ? '❚❚ Pause' : '▶ Play';
  play.setAttribute('aria-pressed', String(on));
}

function scale({title, scale: [low, high]}) {
  const part = make('p', `${title}: what a place adds to the cosine`), ends = make('span', '', 'ends');
  const bar = Object.assign(new Image(), {src: film.bar, alt: ''});
  ends.append(make('span', low.toFixed(2)), make('span', high.toFixed(2)));
  part.append(bar, ends);
  return part;
}

function show() {
  run(false);
  root.hidden = !props.value;
  if (!props.value) { film = null; return; }
  film = JSON.parse(props.value);
  panels = [];
  const parts = [heading('Frame', 'as the encoder sees it'),
    ...film.heads.map(({title, cosine}) => heading(title, `cosine of the clips ${cosine.toFixed(3)}`))];
  film.sides.forEach((side, position) => {
    const line = make('p', '', 'side');
    line.append(make('b', side.role), ` ${side.name} `,
      make('span', `clip ${side.clip} of ${side.clips}, ${side.start.toFixed(2)} to ${side.end.toFixed(2)} s`));
    parts.push(line, panel(side, position, 'frame', ''), ...film.heads.map(({head, title}) => panel(side, position, head, title)));
  });
  find('.film-panels').replaceChildren(...parts);
  find('.film-scales').replaceChildren(...film.heads.map(scale));
  slider.max = film.frames - 1;
  slider.value = Math.floor(film.frames / 2);
  outline();
}

function outline() {
  boxes = props.boxes ? JSON.parse(props.boxes) : null;
  if (!film) return;
  captions();
  step();
}

slider.addEventListener('input', () => { run(false); step(); });
play.addEventListener('click', () => run(!timer));
watch('value', show);
watch('boxes', outline);
show();

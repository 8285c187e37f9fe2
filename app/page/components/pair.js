// Two players and the similarity of all their clips; a cell goes to both clips. `trigger('pick', {query, match})`. `trigger('seen')`: its tab was opened.
// value: {query, match: {name, detail, media, spans: [[start, end]] or null}, heads: [{head, title, values}], head, cell: [i, j]}
const find = (selector) => element.querySelector(selector);
const root = find('.pair'), table = find('table'), both = find('.both');
let pair = null, head = '', cell = [0, 0], videos = [];

const make = (name, text = '', kind = '') => Object.assign(document.createElement(name), {textContent: text, className: kind});
const values = () => pair.heads.find((each) => each.head === head).values;
const digits = () => Math.max(...values().flat()) - Math.min(...values().flat()) < 0.1 ? 3 : 2; // so that cells differ

function span(side, clip, video) { // where no times are known, clips lie evenly over the video
  if (side.spans) return side.spans[clip];
  const part = (video.duration || 0) / (side === pair.query ? values().length : values()[0].length);
  return [clip * part, (clip + 1) * part];
}

function player(side, role) {
  const figure = make('figure'), caption = make('figcaption'), video = make('video');
  Object.assign(video, {controls: true, muted: true, playsInline: true, loop: true, preload: 'auto',
    poster: `media/poster/${side.media}.jpg`, src: `media/video/${side.media}.mp4`});
  video.setAttribute('aria-label', `${role}: ${side.name}`);
  video.addEventListener('error', () => { caption.append(make('span', ' This video cannot be played: its file is missing or damaged.')); });
  video.addEventListener('play', label);
  video.addEventListener('pause', label);
  caption.append(make('b', role), side.name, document.createElement('br'), make('span', side.detail));
  figure.append(video, caption);
  videos.push(video);
  return figure;
}

function seek() {
  [pair.query, pair.match].forEach((side, position) => {
    const video = videos[position], clip = cell[position];
    const go = () => { video.currentTime = span(side, clip, video)[0]; };
    video.pause();
    video.readyState >= 1 ? go() : video.addEventListener('loadedmetadata', go, {once: true});
  });
}

function label() {
  both.textContent = videos.some((video) => !video.paused) ? '❚❚ Pause both' : '▶ Play both';
}

function say() {
  const times = [pair.query, pair.match].map((side, position) => span(side, cell[position], videos[position])[0].toFixed(1));
  find('.chosen').textContent = `Query clip ${cell[0] + 1} at ${times[0]} s, match clip ${cell[1] + 1} at ${times[1]} s: ` +
    `${head} similarity ${values()[cell[0]][cell[1]].toFixed(digits())}`;
}

function shade(value, low, high) { // from pale to a teal on which the ink can still be read (4.5 to 1)
  const share = high > low ? (value - low) / (high - low) : 0.5;
  return {background: `hsl(174 ${35 + 35 * share}% ${94 - 58 * share}%)`, color: '#06201d'};
}

function title(side, clip, position) {
  const [start] = side.spans ? side.spans[clip] : [NaN];
  const head = make('th', Number.isNaN(start) ? String(clip + 1) : start.toFixed(1));
  head.scope = position ? 'col' : 'row';
  head.title = `${position ? 'match' : 'query'} clip ${clip + 1}${Number.isNaN(start) ? '' : `, from ${start.toFixed(2)} s`}`;
  return head;
}

function draw() {
  const rows = values(), flat = rows.flat(), exact = digits(), low = Math.min(...flat), high = Math.max(...flat);
  const top = document.createElement('thead'), line = make('tr'), corner = make('th', 's'), body = make('tbody');
  corner.title = 'Rows: where the query\'s clips begin; columns: where the match\'s clips begin; seconds';
  line.append(corner, ...rows[0].map((_, clip) => title(pair.match, clip, 1)));
  top.append(line);
  body.append(...rows.map((row, i) => {
    const line = make('tr');
    line.append(title(pair.query, i, 0), ...row.map((value, j) => {
      const place = make('td'), button = make('button', value.toFixed(exact)), chosen = i === cell[0] && j === cell[1];
      button.type = 'button';
      button.tabIndex = chosen ? 0 : -1;
      button.dataset.cell = `${i} ${j}`;
      button.setAttribute('aria-pressed', String(chosen));
      button.setAttribute('aria-label', `query clip ${i + 1}, match clip ${j + 1}, similarity ${value.toFixed(exact)}`);
      Object.assign(button.style, shade(value, low, high));
      place.append(button);
      return place;
    }));
    return line;
  }));
  table.setAttribute('aria-label', `${head} similarity of clips; rows are the query's, columns the match's`);
  table.replaceChildren(top, body);
  say();
}

function choose(i, j) {
  cell = [i, j];
  table.querySelectorAll('button').forEach((button) => {
    const chosen = button.dataset.cell === `${i} ${j}`;
    button.setAttribute('aria-pressed', String(chosen));
    button.tabIndex = chosen ? 0 : -1;
  });
  seek();
  say();
  trigger('pick', {query: i, match: j});
}

function heads() {
  const set = find('fieldset'), options = pair.heads.map((each) => {
    const option = make('label', each.title), input = Object.assign(make('input'), {type: 'radio', name: `${element.id}-head`});
    input.checked = each.head === head;
    input.addEventListener('change', () => { head = each.head; draw(); });
    option.prepend(input);
    return option;
  });
  set.replaceChildren(set.querySelector('legend'), ...options);
}

table.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (button) choose(...button.dataset.cell.split(' ').map(Number));
});
table.addEventListener('keydown', (event) => {
  const move = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[event.key];
  const button = event.target.closest('button');
  if (!move || !button) return;
  const [i, j] = button.dataset.cell.split(' ').map(Number);
  table.querySelector(`[data-cell="${i + move[0]} ${j + move[1]}"]`)?.focus();
  event.preventDefault();
});
both.addEventListener('click', () => {
  const playing = videos.some((video) => !video.paused);
  videos.forEach((video) => playing ? video.pause() : video.play());
});

function show() {
  videos.forEach((video) => video.pause());
  videos = [];
  root.hidden = !props.value;
  if (!props.value) return;
  pair = JSON.parse(props.value);
  cell = pair.cell;
  head = pair.head;
  find('.players').replaceChildren(player(pair.query, 'Query'), player(pair.match, 'Match'));
  heads();
  draw();
  seek();
}
watch('value', show);
new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) trigger('seen'); },
  {rootMargin: '99999px'}).observe(element); // anywhere on the page, but not in a hidden tab
show();

// The address bar follows the page, and the page follows the address bar. `trigger('navigate')`: show what the address says.
// value: {search, name, is_link}: a search; {match}: a hit to explain; {other}: a library to compare with; {restored}: the page shows what the address of this CRC-32 said
const WEIGHTS = ['backbone', 'motion', 'appearance'];
const without = (search, names) => {
  const left = new URLSearchParams(search);
  names.forEach((name) => left.delete(name));
  return left.toString();
};
function checksum(search) {
  let rest = ~0;
  for (const byte of new TextEncoder().encode(search)) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (0xEDB88320 & -(rest & 1));
  }
  return ~rest >>> 0;
}
let base, tab, match, other, asked = location.search, pending = asked !== '', timer;

function read() {
  const said = new URLSearchParams(location.search);
  tab = said.get('tab') || 'search';
  match = said.get('match');
  other = said.get('with');
  base = without(location.search, ['tab', 'match', 'with']);
}

function here() {
  const said = new URLSearchParams(base);
  if (tab !== 'search') said.set('tab', tab);
  if (tab === 'why' && match) said.set('match', match);
  if (tab === 'compare' && other) said.set('with', other);
  return said.toString();
}

function write() { // weights are no place to come back to: a slider would leave a trail of them
  const now = without(location.search, []), next = here();
  if (now === next) return;
  const only = without(now, WEIGHTS) === without(next, WEIGHTS);
  history[only ? 'replaceState' : 'pushState'](null, '', location.pathname + (next && `?${next}`));
}

function soon() { // what one event of the server's changes comes in pieces
  clearTimeout(timer);
  timer = setTimeout(write, 80);
}

function go() {
  clearTimeout(timer);
  asked = location.search;
  pending = JSON.parse(props.value || '{}').restored !== checksum(asked); // a value that stays as it is tells no watcher
  read();
  trigger('navigate');
}

watch('value', () => {
  const said = JSON.parse(props.value);
  if (said.restored !== undefined) {
    if (said.restored === checksum(asked)) pending = false;
    else return;
  } else if (pending) return; // of what the page showed before
  else if (said.search !== undefined) base = without(said.search, []);
  if (said.match !== undefined) match = said.match;
  if (said.other !== undefined) other = said.other;
  if (said.is_link) document.dispatchEvent(new CustomEvent('rspnet:searched', {detail: said}));
  if (said.restored === undefined) soon();
});
document.addEventListener('rspnet:tab', (event) => { // a page being opened tells late of its first tab
  setTimeout(() => {
    if (pending || !document.getElementById(`tab-${event.detail}`)?.checkVisibility()) return;
    tab = event.detail;
    soon();
  });
});
document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href^="?"]');
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  history.pushState(null, '', location.pathname + link.search);
  go();
});
window.addEventListener('popstate', go);
read();

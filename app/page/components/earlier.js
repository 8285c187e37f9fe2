// The latest searches of this browser, as links; kept by the browser, never sent.
const KEY = 'rspnet.searches', MOST = 20, kept = window.rspnetKept(KEY);
const root = element.querySelector('details'), list = element.querySelector('ol');

function keep(searches) {
  kept.write(searches.slice(0, MOST));
  draw();
}

function draw() {
  const searches = kept.read();
  root.hidden = !searches.length;
  list.replaceChildren(...searches.map(({search, name}) => {
    const item = document.createElement('li'), link = document.createElement('a'), detail = document.createElement('span');
    link.href = `?${new URLSearchParams(search)}`;
    link.textContent = name;
    detail.textContent = window.rspnetKept.said(search);
    item.append(link, detail);
    return item;
  }));
}

document.addEventListener('rspnet:searched', ({detail: {search, name}}) => {
  const page = new URLSearchParams(search);
  page.delete('hits');
  const same = (each) => new URLSearchParams(each.search).get('video') === page.get('video') && page.size === 1 + WEIGHTED(page)
    && new URLSearchParams(each.search).size === 1 + WEIGHTED(new URLSearchParams(each.search));
  keep([{search: `?${page}`, name}, ...kept.read().filter((each) => each.search !== `?${page}` && !same(each))]);
});
const WEIGHTED = (said) => ['backbone', 'motion', 'appearance'].filter((part) => said.has(part)).length; // a slider's way is one search
element.querySelector('button').addEventListener('click', () => keep([]));
window.addEventListener('storage', (event) => { if (event.key === KEY) draw(); });
draw();

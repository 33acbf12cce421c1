
'use strict';
// What comes from the server is put on the page as text, never as markup: names are whatever clients chose.

const every = 1000, patience = 6000;
const byId = id => document.getElementById(id);
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

function count(value) { return Math.abs(value) < 100000 ? whole.format(value) : short.format(value); }

function rate(value) { return value > 0 && value < 10 ? value.toFixed(1) : count(value); }

// With a unit; the space before it does not break.
function time(milliseconds) {
  if (milliseconds == null) return '–';
  if (milliseconds < 1000) return `${plain(milliseconds)}\u00a0ms`;
  const seconds = milliseconds / 1000;
  return seconds < 100 ? `${seconds.toFixed(1)}\u00a0s` : `${(seconds / 60).toFixed(1)}\u00a0min`;
}

// In columns whose heading says that they are milliseconds.
function plain(milliseconds) {
  if (milliseconds == null) return '–';
  if (milliseconds < 10) return milliseconds.toFixed(2);
  return milliseconds < 100 ? milliseconds.toFixed(1) : count(milliseconds);
}

function bytes(value) {
  if (value == null) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : whole.format(value)}\u00a0${units[unit]}`;
}

function duration(seconds) {
  const parts = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  const first = parts.findIndex(([size]) => seconds >= size);
  if (first < 0) return '0 s';
  return parts.slice(first, first + 2).map(([size, name]) => {
    const amount = Math.floor(seconds / size);
    seconds -= amount * size;
    return amount > 0 ? `${amount}\u00a0${name}` : '';
  }).join(' ').trim();
}

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

// A text that has not changed is not set again, so that a selection stays.
function say(node, text) { if (node.textContent !== text) node.textContent = text; }

function mark(node, name, isOn) { node.classList.toggle(name, Boolean(isOn)); }

// Keeps one child for each item, by its key: what is open or focused stays so.
function list(parent, items, key, make, update) {
  const present = new Map(Array.from(parent.children, child => [child.dataset.key, child]));
  items.forEach((item, index) => {
    const name = String(key(item));
    let child = present.get(name);
    if (!child) {
      child = make(item);
      child.dataset.key = name;
    }
    present.delete(name);
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
    update(child, item);
  });
  for (const child of present.values()) child.remove();
}

function cells(row, values) {
  values.forEach((value, index) => say(row.children[index + 1], value));
}

function row(name, ...classes) {
  const header = element('th', '', name);
  header.scope = 'row';
  return element('tr', '', header, ...classes.map(each => element('td', each)));
}

function tiles(parent, items) {
  list(parent, items, item => item.name,
    item => element('div', '', element('dt', '', item.name), element('dd', '', element('span'), element('small'))),
    (tile, item) => {
      const value = tile.children[1];
      say(value.children[0], item.value);
      say(value.children[1], item.more ?? '');
      mark(value, 'warn', item.warns);
    });
}

function meter(node, share) { node.style.width = `${Math.round(Math.min(1, Math.max(0, share)) * 100)}%`; }

const space = 'http://www.w3.org/2000/svg';

// The newest value is at the right end, whatever there is before it.
function points(values, length, top) {
  const step = 240 / Math.max(1, length - 1);
  return values.map((value, index) => {
    const x = 240 - (values.length - 1 - index) * step;
    return value == null ? null : `${x.toFixed(1)},${(55 - 52 * Math.min(1, value / top)).toFixed(1)}`;
  });
}

function path(svg, name) {
  let found = svg.querySelector(`[data-name="${name}"]`);
  if (!found) {
    found = document.createElementNS(space, 'path');
    found.dataset.name = name;
    found.setAttribute('class', name);
    svg.append(found);
  }
  return found;
}

function line(values, length, top) {
  let pen = false;
  return points(values, length, top).map(point => {
    if (!point) { pen = false; return ''; }
    const command = `${pen ? 'L' : 'M'}${point}`;
    // A moment alone is a dot: a line of no length with round ends is not drawn.
    const drawn = pen ? command : `${command}l.01,0`;
    pen = true;
    return drawn;
  }).join('');
}

const samples = 120;

function drawRates(svg, rates) {
  const top = Math.max(1, ...rates);
  const all = points(rates, samples, top);
  const first = all[0]?.split(',')[0] ?? 240;
  path(svg, 'area').setAttribute('d', all.length > 1 ? `M${first},56L${all.join('L')}L240,56Z` : '');
  path(svg, 'line').setAttribute('d', line(rates, samples, top));
  const now = rates.at(-1) ?? 0;
  svg.setAttribute('aria-label',
    `operations a second in the last two minutes: ${rate(now)} now, ${rate(Math.max(0, ...rates))} at most`);
}

function drawTimes(svg, history) {
  const known = history.p99.filter(value => value != null);
  const top = Math.max(0.1, ...known);
  path(svg, 'line second').setAttribute('d', line(history.p99, samples, top));
  path(svg, 'line').setAttribute('d', line(history.p95, samples, top));
  svg.setAttribute('aria-label', known.length
    ? `latencies in the last two minutes: p99 ${time(known.at(-1))} when last measured, ${time(top)} at most`
    : 'no commands in the last two minutes');
}

function showLoad(status) {
  const now = status.kinds.reduce((sum, kind) => sum + kind.rate, 0);
  const isIdle = status.history.rates.every(value => value === 0);
  say(byId('rate'), rate(now));
  const peak = Math.max(0, ...status.history.rates);
  say(byId('rate-aside'), isIdle ? 'idle: no commands in the last two minutes' : `${rate(peak)} at most`);
  drawRates(byId('rate-line'), status.history.rates);
  say(byId('time'), time(status.all.p95));
  say(byId('time-aside'), status.all.count
    ? `p50 ${time(status.all.p50)} · p99 ${time(status.all.p99)}` : 'nothing to measure in the last minute');
  drawTimes(byId('time-line'), status.history);
  document.title = `${rate(now)}/s · Martlet`;
}

function showCommands(status) {
  const kinds = status.kinds.filter(kind => kind.total > 0);
  say(byId('commands-window'), `milliseconds, last ${duration(Math.max(1, status.windowSeconds))}`);
  byId('commands-empty').hidden = kinds.length > 0;
  list(byId('commands'), kinds, kind => kind.name, kind => row(kind.name, '', '', '', '', 'wide'), (each, kind) => {
    cells(each, [
      rate(kind.rate), plain(kind.times.p50), plain(kind.times.p95), plain(kind.times.p99), count(kind.total)]);
    mark(each, 'quiet', kind.times.count === 0);
  });
}

function showPools(status) {
  list(byId('pools'), status.pools, pool => pool.name, pool => {
    const made = row(pool.name, 'bar', '', '', 'wide');
    made.children[1].append(
      element('div', '', element('span'), element('div', 'meter', element('i'))));
    return made;
  }, (each, pool) => {
    const bar = each.children[1].firstChild;
    say(bar.children[0], `${pool.busy} / ${pool.threads}`);
    meter(bar.children[1].firstChild, pool.busy / Math.max(1, pool.threads));
    say(each.children[2], count(pool.idle));
    say(each.children[3], count(pool.waiting));
    say(each.children[4], pool.isAway ? 'away' : time(pool.waitP95));
    mark(each, 'warn', pool.isAway);
    each.title = pool.isAway ? 'PostgreSQL is away: what comes is refused at once'
      : `${count(pool.refused)} refused, ${count(pool.reconnects)} reconnects since the start`;
  });
}

function showLanes(status) {
  const { lanes } = status;
  say(byId('lanes'), lanes.versions
    ? `${lanes.meanDepth.toFixed(1)} writes in one new version on average, at p99 ${count(lanes.p99Depth)}` : '');
  byId('hot-empty').hidden = lanes.hot.length > 0;
  const top = Math.max(1, ...lanes.hot.map(document => document.writes));
  list(byId('hot'), lanes.hot, document => `${document.namespace} ${document.id}`, document => element('li', '',
    element('p', 'head', element('span', 'name', document.namespace), element('span', 'writes')),
    element('p', 'id', document.id), element('div', 'meter', element('i'))), (each, document) => {
    say(each.querySelector('.writes'), count(document.writes));
    meter(each.querySelector('i'), document.writes / top);
  });
}

function total(name, value) {
  return { name, value: count(value.total), more: value.rate > 0 ? `${rate(value.rate)} a second` : '' };
}

function showTiles(status) {
  const { clients, resources } = status, guard = status.guard;
  tiles(byId('clients'), [
    { name: 'connections', value: count(clients.connections), more: `${count(clients.accepted)} in all` },
    { name: 'running now', value: count(clients.running) },
    { name: 'sessions', value: count(clients.sessions) },
    { name: 'cursors', value: count(clients.cursors),
      more: clients.cursorsTimedOut ? `${count(clients.cursorsTimedOut)} timed out` : '' },
    { name: 'transactions', value: count(clients.transactions),
      more: clients.transactionsWaiting ? `${count(clients.transactionsWaiting)} waiting`
        : clients.transactionsCommitted + clients.transactionsAborted
          ? `${count(clients.transactionsCommitted)} done, ${count(clients.transactionsAborted)} undone` : '',
      warns: clients.transactionsWaiting > 0 },
    total('errors', clients.failures),
    { name: 'logins', value: count(clients.loginsSucceeded),
      more: clients.loginsFailed ? `${count(clients.loginsFailed)} failed` : '' },
  ]);
  tiles(byId('guard'), [
    total('answered again', guard.deduplicated), total('lost races', guard.conflicts),
    total('run again', guard.retried),
  ]);
  say(byId('retries'), guard.retries.map(retry => `${retry.sqlstate}: ${count(retry.count)}`).join(' · '));
  tiles(byId('resources'), [
    { name: 'resident', value: bytes(resources.residentBytes) },
    { name: 'temporary files', value: bytes(resources.spillBytes) },
    { name: 'received', value: `${bytes(resources.received.rate)}/s`,
      more: `${bytes(resources.received.total)} in all` },
    { name: 'sent', value: `${bytes(resources.sent.rate)}/s`, more: `${bytes(resources.sent.total)} in all` },
  ]);
}

function slowDetails(command) {
  const more = element('div', 'more');
  const facts = [`at ${new Date(command.endedAt).toLocaleString()}`];
  if (command.application) facts.push(`by ${command.application}`);
  if (command.errorCode != null) facts.push(`ended with error ${command.errorCode}`);
  more.append(element('p', '', facts.join(', ')));
  if (!command.steps.length) more.append(element('p', '', 'PostgreSQL was not asked.'));
  for (const step of command.steps) {
    more.append(element('p', '', `pool ${step.pool ?? 'unknown'}`));
    if (step.sql) more.append(element('pre', 'sql', step.sql));
  }
  return more;
}

function showSlow(status) {
  say(byId('slow-limit'), `over ${time(status.slowMilliseconds)}, newest first`);
  byId('slow-empty').hidden = status.slow.length > 0;
  const seen = new Map();
  // Two of the same moment are told apart by their number.
  const key = command => {
    const name = [command.endedAt, command.milliseconds, command.command, command.namespace].join(' ');
    const number = seen.get(name) ?? 0;
    seen.set(name, number + 1);
    return `${name} ${number}`;
  };
  list(byId('slow'), status.slow, key, command => {
    const pools = [...new Set(command.steps.map(step => step.pool).filter(Boolean))].join(', ');
    const what = element('span', 'what', element('b', '', command.command), ` ${command.namespace}`);
    if (pools) what.append(element('span', 'when', ` · ${pools}`));
    if (command.errorCode != null) what.append(element('span', 'warn', ` · error ${command.errorCode}`));
    const summary = element('summary', '', element('span', 'took', time(command.milliseconds)), what,
      element('span', 'when'));
    return element('li', '', element('details', '', summary, slowDetails(command)));
  }, (each, command) => {
    const ago = Math.max(0, (status.server.nowMilliseconds - command.endedAt) / 1000);
    const rounded = ago < 60 ? Math.floor(ago) : Math.floor(ago / 60) * 60;
    say(each.querySelector('summary').lastChild, `${duration(rounded)} ago`);
  });
}

function show(status) {
  const { server } = status;
  say(byId('facts'), [
    server.host, `version ${server.version}`, `PostgreSQL ${server.postgresVersion}`,
    `up\u00a0${duration(server.uptimeSeconds)}`].join(' · '));
  const isAway = status.pools.some(pool => pool.isAway);
  tell(isAway ? 'bad' : server.isWritable ? 'good' : 'bad',
    isAway ? 'PostgreSQL is away' : server.isWritable ? 'serving' : 'not taking writes');
  showLoad(status);
  showCommands(status);
  showPools(status);
  showLanes(status);
  showTiles(status);
  showSlow(status);
}

function tell(kind, text) {
  const state = byId('state');
  state.className = `state ${kind}`;
  say(state, text);
}

let isPaused = false, lastSeen = null, failures = 0, timer = null;

async function refresh() {
  clearTimeout(timer);
  if (isPaused || document.hidden) return;
  try {
    const reply = await fetch('status.json', { cache: 'no-store', signal: AbortSignal.timeout(patience) });
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    const status = await reply.json();
    if (isPaused) return;
    lastSeen = Date.now();
    failures = 0;
    show(status);
    mark(byId('content'), 'stale', false);
    byId('content').setAttribute('aria-busy', 'false');
  } catch {
    failures += 1;
    mark(byId('content'), 'stale', true);
    tell('bad', lastSeen ? `unreachable since ${new Date(lastSeen).toLocaleTimeString()}` : 'unreachable');
    document.title = 'unreachable · Martlet';
  }
  timer = setTimeout(refresh, every * Math.min(5, 1 + failures));
}

byId('pause').addEventListener('click', () => {
  isPaused = !isPaused;
  byId('pause').setAttribute('aria-pressed', String(isPaused));
  if (isPaused) tell('waiting', 'paused'); else refresh();
});
document.addEventListener('visibilitychange', refresh);
refresh();

"use strict";
(() => {
  const byId = id => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const n = data.tokens.length, heads = data.heads;

  // Rows of all heads one after the other: [head * n + position].
  const decode = text => {
    const raw = atob(text), bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return bytes;
  };
  const scores = new Float32Array(decode(data.scores).buffer);
  const ranks = new Int32Array(decode(data.ranks).buffer);
  const reasons = decode(data.reasons);
  const names = data.reason_names;
  const dropped = names.indexOf("dropped"), score = names.indexOf("score"), recent = names.indexOf("recent");

  // One number a cell: dropped rows from the last to the cut, then kept ones from the cut to the best, then those kept always.
  const Steps = 32;
  const shades = new Uint8Array(heads.length * n);
  heads.forEach((head, h) => {
    for (let p = 0; p < n; p++) {
      const i = h * n + p, reason = reasons[i], rank = ranks[i];
      if (reason === dropped) {
        shades[i] = Math.round((Steps - 1) * (1 - (rank - head.kept - 1) / Math.max(1, head.ranked - head.kept - 1)));
      } else if (reason === score || reason === recent) {
        shades[i] = Steps + Math.round((Steps - 1) * (1 - (rank - 1) / Math.max(1, head.kept - 1)));
      } else {
        shades[i] = 2 * Steps + reason;
      }
    }
  });

  const map = byId("map"), canvas = byId("canvas"), area = byId("area"), overview = byId("overview"), tip = byId("tip"), said = byId("said");
  const layerChoice = byId("layer"), zoom = byId("zoom"), prompt = byId("prompt");
  const context = canvas.getContext("2d"), small = overview.getContext("2d");
  const HeaderHeight = 38, Gap = 3;
  let columns = [], places = [], cell = { width: 10, height: 18 }, labels = 150, chosen = null, colours = [], patterns = [], theme = {}, picture = null, kept = [];

  const hex = text => [1, 3, 5].map(i => parseInt(text.trim().slice(i, i + 2), 16));
  const rgb = c => `rgb(${c.join(",")})`;
  const mix = (a, b, t) => a.map((x, i) => Math.round(x + t * (b[i] - x)));

  function readTheme() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["page", "ink", "muted", "line", "panel", "best", "cut", "near", "far", "window", "sink", "protected", "whole", "stripe", "mark"]) {
      theme[name] = hex(style.getPropertyValue("--" + name));
    }
    colours = [];
    for (let s = 0; s < Steps; s++) colours.push(mix(theme.far, theme.near, s / (Steps - 1)));
    for (let s = 0; s < Steps; s++) colours.push(mix(theme.cut, theme.best, s / (Steps - 1)));
    names.forEach(name => colours.push(theme[name] || theme.whole));
    patterns = colours.map(rgb);
    for (const name of ["window", "sink", "protected"]) patterns[2 * Steps + names.indexOf(name)] = pattern(name);
  }

  // Stripes across for the window, slanted ones for sinks, dots for what the user protects.
  function pattern(name) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 6;
    const t = tile.getContext("2d");
    t.fillStyle = rgb(theme[name]);
    t.fillRect(0, 0, 6, 6);
    t.fillStyle = rgb(theme.stripe);
    for (let i = 0; i < 6; i++) {
      if (name === "window") t.fillRect(i, 4, 1, 1);
      if (name === "sink") t.fillRect(i, 5 - i, 1, 1);
    }
    if (name === "protected") t.fillRect(2, 2, 2, 2);
    return context.createPattern(tile, "repeat");
  }

  function arrange() {
    const layer = layerChoice.value;
    columns = heads.map((_, h) => h).filter(h => layer === "" || heads[h].layer === layer);
    const width = map.clientWidth, view = map.clientHeight - HeaderHeight;
    const whole = zoom.value === "whole";
    cell.height = whole ? Math.min(18, view / n) : Number(zoom.value);
    labels = cell.height >= 12 ? Math.min(170, Math.round(width * 0.36)) : 52;
    const groups = new Set(columns.map(h => heads[h].layer)).size;
    cell.width = Math.max(7, Math.min(40, Math.floor((width - labels - Gap * groups - 2) / columns.length)));
    let x = 0;
    places = columns.map((h, c) => {
      if (c > 0 && heads[h].layer !== heads[columns[c - 1]].layer) x += Gap;
      const here = x;
      x += cell.width;
      return here;
    });
    area.style.width = Math.max(labels + x + 2, 0) + "px";
    area.style.height = Math.max(HeaderHeight + Math.ceil(n * cell.height), 0) + "px";
    picture = null;
    if (chosen) chosen.c = Math.min(chosen.c, columns.length - 1);
    draw();
  }

  // One pixel a cell, for views where a row is too low to be drawn by itself.
  function paint() {
    picture = document.createElement("canvas");
    picture.width = columns.length;
    picture.height = n;
    const p = picture.getContext("2d"), image = p.createImageData(columns.length, n);
    columns.forEach((h, c) => {
      for (let t = 0; t < n; t++) image.data.set([...colours[shades[h * n + t]], 255], 4 * (t * columns.length + c));
    });
    p.putImageData(image, 0, 0);
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1, width = map.clientWidth, height = map.clientHeight;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.width = width + "px";
      canvas.style.height = height + "px";
    }
    const top = map.scrollTop, left = map.scrollLeft;
    const first = Math.max(0, Math.floor(top / cell.height)), last = Math.min(n, Math.ceil((top + height - HeaderHeight) / cell.height));
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = rgb(theme.page);
    context.fillRect(0, 0, width, height);
    drawCells(first, last, top, left, width);
    drawLabels(first, last, top, height);
    drawHeader(left, width);
    drawChosen(top, left);
    drawOverview();
  }

  const yOf = (t, top) => HeaderHeight + t * cell.height - top;

  function drawCells(first, last, top, left, width) {
    if (cell.height < 4) {
      if (!picture) paint();
      context.imageSmoothingEnabled = cell.height < 1;
      columns.forEach((h, c) => context.drawImage(
        picture, c, first, 1, last - first, labels + places[c] - left, yOf(first, top), cell.width - (cell.width > 8 ? 1 : 0), (last - first) * cell.height));
      return;
    }
    const line = cell.height >= 8 ? 1 : 0, side = cell.width > 8 ? 1 : 0;
    columns.forEach((h, c) => {
      const x = labels + places[c] - left;
      if (x + cell.width < labels || x > width) return;
      for (let t = first; t < last; t++) {
        context.fillStyle = patterns[shades[h * n + t]];
        context.fillRect(x, yOf(t, top), cell.width - side, cell.height - line);
      }
    });
  }

  function drawLabels(first, last, top, height) {
    context.fillStyle = rgb(theme.page);
    context.fillRect(0, 0, labels - 2, height);
    context.textBaseline = "middle";
    const readable = cell.height >= 12;
    const every = readable ? 1 : [10, 20, 50, 100, 200, 500, 1000].find(e => e * cell.height >= 22) || 5000;
    for (let t = first; t < last; t++) {
      if (t % every !== 0) continue;
      const y = yOf(t, top) + (readable ? cell.height / 2 : 0);
      context.font = "11px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace";
      context.fillStyle = rgb(theme.muted);
      context.textAlign = "right";
      context.fillText(t, 40, Math.max(y, HeaderHeight + 6));
      if (!readable) continue;
      context.save();
      context.beginPath();
      context.rect(46, y - cell.height / 2, labels - 50, cell.height);
      context.clip();
      context.font = "13px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace";
      context.textAlign = "left";
      context.fillStyle = rgb(kept[t] === 0 ? theme.muted : theme.ink);
      context.fillText(data.tokens[t], 46, y);
      context.restore();
    }
  }

  function drawHeader(left, width) {
    context.fillStyle = rgb(theme.panel);
    context.fillRect(0, 0, width, HeaderHeight);
    context.fillStyle = rgb(theme.muted);
    context.font = "11px system-ui, 'Liberation Sans', 'DejaVu Sans', sans-serif";
    context.textBaseline = "middle";
    context.textAlign = "right";
    context.fillText("layer", labels - 8, 11);
    context.fillText("head", labels - 8, 28);
    context.save();
    context.beginPath();
    context.rect(labels, 0, width - labels, HeaderHeight);
    context.clip();
    context.textAlign = "center";
    for (let c = 0; c < columns.length;) {
      let end = c;
      while (end < columns.length && heads[columns[end]].layer === heads[columns[c]].layer) end++;
      const from = places[c], to = places[end - 1] + cell.width;
      context.fillStyle = rgb(theme.ink);
      if (context.measureText(heads[columns[c]].layer).width < to - from + 2) context.fillText(heads[columns[c]].layer, labels + (from + to) / 2 - left, 11);
      context.fillStyle = rgb(theme.line);
      context.fillRect(labels + from - left, 19, to - from - 1, 1);
      context.fillStyle = rgb(theme.muted);
      for (let i = c; i < end; i++) {
        const name = String(heads[columns[i]].head);
        if (context.measureText(name).width < cell.width) context.fillText(name, labels + places[i] + cell.width / 2 - left, 28);
      }
      c = end;
    }
    context.restore();
  }

  function drawChosen(top, left) {
    if (!chosen) return;
    const x = labels + places[chosen.c] - left, y = yOf(chosen.t, top), height = Math.max(cell.height - 1, 3);
    if (y < HeaderHeight - height || x < labels - cell.width) return;
    context.lineWidth = 4;
    context.strokeStyle = rgb(theme.page);
    context.strokeRect(x - 1, y - 1, cell.width + 1, height + 2);
    context.lineWidth = 2;
    context.strokeStyle = rgb(theme.mark);
    context.strokeRect(x - 1, y - 1, cell.width + 1, height + 2);
  }

  // The whole prompt: how many of the shown heads kept each token, and which part of it the map shows.
  function drawOverview() {
    const width = overview.clientWidth, height = overview.clientHeight, ratio = window.devicePixelRatio || 1;
    if (!width) return;
    overview.width = Math.round(width * ratio);
    overview.height = Math.round(height * ratio);
    small.setTransform(ratio, 0, 0, ratio, 0, 0);
    small.fillStyle = rgb(theme.page);
    small.fillRect(0, 0, width, height);
    for (let y = 0; y < height; y++) {
      const from = Math.floor(y / height * n), to = Math.max(from + 1, Math.floor((y + 1) / height * n));
      let most = 0;
      for (let t = from; t < to; t++) most = Math.max(most, kept[t]);
      if (most === 0) continue;
      small.fillStyle = rgb(mix(theme.cut, theme.best, most / columns.length));
      small.fillRect(0, y, width * most / columns.length, 1);
    }
    const shown = (map.clientHeight - HeaderHeight) / cell.height;
    small.lineWidth = 2;
    small.strokeStyle = rgb(theme.mark);
    small.strokeRect(1, Math.min(height - 3, map.scrollTop / cell.height / n * height) + 1, width - 2, Math.max(3, Math.min(1, shown / n) * height - 2));
  }

  function shadePrompt() {
    kept = new Array(n).fill(0);
    columns.forEach(h => {
      for (let t = 0; t < n; t++) kept[t] += reasons[h * n + t] === dropped ? 0 : 1;
    });
    prompt.querySelectorAll("[data-p]").forEach(span => {
      const t = Number(span.dataset.p), level = Math.ceil(8 * kept[t] / columns.length);
      span.className = span.className.replace(/\bk\d\b/, "k" + level);
      span.title = `position ${t}: kept by ${kept[t]} of ${columns.length} heads`;
    });
  }

  const show = x => Number(x) === Infinity ? "∞" : Number.isNaN(Number(x)) ? "not a number" : Number(Number(x).toPrecision(4)).toString();

  // What is known of a cell, in words.
  function describe(t, h) {
    const head = heads[h], i = h * n + t, rank = ranks[i];
    const lines = [`position ${t}, layer ${head.layer}, head ${head.head}`, data.reasons_in_words[reasons[i]]];
    if (rank > 0) {
      lines.push(`${data.by_score[h] ? `score ${show(scores[i])}, ` : ""}rank ${rank} of ${head.ranked}`);
      lines.push(head.kept === 0 ? "cut: no row of this head stays for its rank"
        : `cut at rank ${head.kept}${data.by_score[h] ? `, score ${show(head.cut)}` : ""}`);
    }
    lines.push(`the head keeps ${head.rows} rows, quota ${head.quota}`);
    return lines;
  }

  function choose(t, c, at) {
    chosen = { t, c };
    const lines = describe(t, columns[c]);
    tip.replaceChildren();
    const title = document.createElement("b");
    title.textContent = data.tokens[t];
    tip.append(title);
    lines.forEach(line => {
      const row = document.createElement("div");
      row.textContent = line;
      tip.append(row);
    });
    tip.hidden = false;
    said.textContent = data.tokens[t] + ": " + lines.join("; ");
    prompt.querySelector(".here")?.classList.remove("here");
    prompt.querySelector(`[data-p="${t}"]`)?.classList.add("here");
    draw();
    const box = canvas.getBoundingClientRect();
    const x = at ? at.x : box.left + labels + places[c] - map.scrollLeft + cell.width;
    const y = at ? at.y : box.top + yOf(t, map.scrollTop) + cell.height;
    tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - tip.offsetWidth - 8)) + "px";
    tip.style.top = Math.max(4, y + 14 + tip.offsetHeight > innerHeight ? y - tip.offsetHeight - 14 : y + 14) + "px";
  }

  function cellAt(event) {
    const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    if (x < labels || y < HeaderHeight) return null;
    const t = Math.floor((y - HeaderHeight + map.scrollTop) / cell.height);
    const inside = x - labels + map.scrollLeft;
    const c = places.findLastIndex(place => place <= inside);
    return t < n && c >= 0 && inside < places[c] + cell.width + Gap ? { t, c } : null;
  }

  function reveal(t, c) {
    const view = map.clientHeight - HeaderHeight, y = t * cell.height, x = places[c], wide = map.clientWidth - labels;
    if (y < map.scrollTop) map.scrollTop = y;
    if (y + cell.height > map.scrollTop + view) map.scrollTop = y + cell.height - view;
    if (x < map.scrollLeft) map.scrollLeft = x;
    if (x + cell.width > map.scrollLeft + wide) map.scrollLeft = x + cell.width - wide;
  }

  function onPointer(event) {
    const found = cellAt(event);
    if (found) choose(found.t, found.c, { x: event.clientX, y: event.clientY });
    else if (event.type === "pointermove") tip.hidden = true;
  }

  function onKey(event) {
    if (event.key === "Escape") {
      tip.hidden = true;
      return;
    }
    const page = Math.max(1, Math.floor((map.clientHeight - HeaderHeight) / cell.height) - 1);
    const step = {
      ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-page, 0], PageDown: [page, 0], Home: [-n, 0], End: [n, 0],
    }[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const at = chosen || { t: 0, c: 0 };
    const t = Math.max(0, Math.min(n - 1, at.t + step[0])), c = Math.max(0, Math.min(columns.length - 1, at.c + step[1]));
    reveal(t, c);
    choose(t, c);
  }

  function refresh() {
    readTheme();
    arrange();
    shadePrompt();
    draw();
  }

  let waiting = false;
  const soon = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  };
  map.addEventListener("scroll", soon);
  map.addEventListener("pointermove", event => { if (event.pointerType === "mouse") onPointer(event); });
  map.addEventListener("click", onPointer);
  map.addEventListener("pointerleave", () => { if (document.activeElement !== map) tip.hidden = true; });
  map.addEventListener("focus", () => { if (map.matches(":focus-visible")) choose(chosen?.t ?? 0, chosen?.c ?? 0); });
  map.addEventListener("blur", () => { tip.hidden = true; });
  map.addEventListener("keydown", onKey);
  layerChoice.addEventListener("change", refresh);
  zoom.addEventListener("change", arrange);
  const jump = event => {
    const box = overview.getBoundingClientRect();
    map.scrollTop = (event.clientY - box.top) / box.height * n * cell.height - map.clientHeight / 2;
  };
  overview.addEventListener("pointerdown", jump);
  overview.addEventListener("pointermove", event => { if (event.buttons) jump(event); });
  prompt.addEventListener("click", event => {
    const span = event.target.closest("[data-p]");
    if (!span) return;
    const t = Number(span.dataset.p);
    map.scrollIntoView({ block: "nearest" });
    map.scrollTop = t * cell.height - map.clientHeight / 2;
    choose(t, chosen?.c ?? 0);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
  new ResizeObserver(arrange).observe(map);

  document.querySelectorAll(".interactive").forEach(element => { element.hidden = false; });
  prompt.dataset.ready = "";
  layerChoice.value = data.layer;
  refresh();
})();

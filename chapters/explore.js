// Pictures that a reader moves: explore.py puts this file and a run's numbers into a cell's
// output. Up to "Drawing" there are formulas alone; the tests compare them with the chapters'.
const explore = (() => {
  const sum = values => values.reduce((a, b) => a + b, 0);

  // ---- Formulas ----------------------------------------------------------------------------

  // Batch normalization of one channel, by the batch's statistics or by those that are given.
  function normalize(x, gamma = 1, beta = 0, eps = 1e-5, given = null) {
    const mean = given ? given.mean : sum(x) / x.length;
    const variance = given ? given.variance : sum(x.map(v => (v - mean) ** 2)) / x.length;
    const s = Math.sqrt(variance + eps), hat = x.map(v => (v - mean) / s);
    return {mean, variance, s, hat, y: hat.map(v => gamma * v + beta)};
  }

  // The cells that share a mean with cell (n, c, p) of a batch of N x C x P cells.
  function shares(kind, groups, C, a, b) {
    const group = c => Math.floor(c * groups / C);
    return {batch: a[1] === b[1], layer: a[0] === b[0],
            instance: a[0] === b[0] && a[1] === b[1],
            group: a[0] === b[0] && group(a[1]) === group(b[1])}[kind];
  }

  // The moving average after each value; momentum is the weight of the old one.
  function movingAverage(values, momentum, start) {
    let moving = start;
    return values.map(value => moving = momentum * moving + (1 - momentum) * value);
  }

  // Variance of the activations and mean square of the gradients at init, block by block, both
  // beginning at 1 where they enter. A layer multiplies a variance by gain (He: 1); behind a
  // ReLU, normalization multiplies the gradients' by pi / (pi - 1), see Yang (2019).
  function flow({depth, gain, shortcut, norm}) {
    const forward = [1], backward = [1];
    for (let l = 0; l < depth; l++) {
      const branch = norm ? 1 : gain * forward[l];
      forward.push(shortcut ? forward[l] + branch : branch);
    }
    const slope = norm ? Math.PI / (Math.PI - 1) : gain;
    for (let l = depth - 1; l >= 0; l--)
      backward.unshift(backward[0] * (shortcut ? 1 + (norm ? slope / forward[l] : slope) : slope));
    return {forward, backward};
  }

  // How many of the 2^n paths through n blocks use 0, 1, ... n of them.
  function paths(n) {
    const counts = [1];
    for (let k = 1; k <= n; k++) counts.push(counts[k - 1] * (n - k + 1) / k);
    return counts;
  }

  // A dense block and its transition; costs: its own, and those of as many 3 x 3 convolutions
  // that keep its final width throughout, as adding wants it.
  function dense({channels, growth, convs, bottleneck, compression, size}) {
    const rows = [], none = () => ({parameters: 0, work: 0, kept: 0});
    const costs = {concatenate: none(), add: none()};
    const conv = (into, out, kernel, cost = costs.concatenate) => {
      cost.parameters += into * out * kernel ** 2 + 2 * into;
      cost.work += into * out * kernel ** 2 * size ** 2;
      cost.kept += 2 * into * size ** 2;  // the inputs of the convolution and its normalization
    };
    for (let i = 0; i < convs; i++) {
      const into = channels + i * growth;
      if (bottleneck && into > 4 * growth) {
        conv(into, 4 * growth, 1);
        conv(4 * growth, growth, 3);
      } else conv(into, growth, 3);
      rows.push({into, out: into + growth});
    }
    const out = channels + convs * growth;
    for (let i = 0; i < convs; i++) conv(out, out, 3, costs.add);
    return {rows, out, after: Math.floor(out * compression), costs};
  }

  // Two to five round values from low to high; whole: whole ones.
  function ticks(low, high, whole) {
    const rough = Math.max((high - low) / 4, whole ? 1 : 1e-9);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find(k => k * power >= rough * (1 - 1e-9));
    const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
    return Array.from({length: last - first + 1}, (_, i) => (first + i) * step);
  }

  const formulas = {normalize, shares, movingAverage, flow, paths, dense, ticks};
  if (typeof document === "undefined") return formulas;

  // ---- Drawing -----------------------------------------------------------------------------

  const BLUE = "#0072b2", ORANGE = "#d98e00", GREEN = "#009e73", GREY = "#8c8c8c";
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const show = (value, digits = 2) => Math.abs(value) < 1e-9 ? (0).toFixed(digits)
    : Math.abs(value) >= 1e4 || Math.abs(value) < 1e-3 ? value.toExponential(1)
    : value.toFixed(digits);

  function add(parent, tag, attributes = {}, text = null) {
    const drawn = parent.namespaceURI === "http://www.w3.org/2000/svg" || tag === "svg";
    const one = drawn ? document.createElementNS("http://www.w3.org/2000/svg", tag)
                      : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
    if (text !== null) one.textContent = text;
    parent.append(one);
    return one;
  }

  // A place for a drawing that is drawn anew whenever its width changes; returns how to.
  function canvas(root, height, label, draw) {
    const svg = add(root, "svg", {height, role: "group", "aria-label": label,
      style: "display: block; width: 100%; font: 13px sans-serif; touch-action: pan-y"});
    let known = 0;
    const redraw = () => {
      known = svg.clientWidth || root.clientWidth || 640;
      svg.replaceChildren();
      draw(svg, known, height);
    };
    new ResizeObserver(() => svg.clientWidth !== known && redraw()).observe(svg);
    return redraw;
  }

  function controls(root) {
    return add(root, "div", {style: "display: flex; flex-wrap: wrap; gap: .4em 1.2em; " +
      "align-items: end; margin: .4em 0"});
  }

  let count = 0;
  function range(parent, text, {min, max, step, value, digits = 0}, change) {
    const id = `explore-${++count}`, box = add(parent, "div", {style: "flex: 1 1 11em"});
    const label = add(box, "label", {for: id, style: "display: block"});
    const input = add(box, "input", {id, type: "range", min, max, step, value,
      style: `width: 100%; margin: 0; accent-color: ${BLUE}`});
    const tell = () => label.textContent = `${text}: ${(+input.value).toFixed(digits)}`;
    tell();
    input.addEventListener("input", () => { tell(); change(+input.value); });
    return {input, set: v => { input.value = v; tell(); }};
  }

  function button(parent, text, act) {
    const one = add(parent, "button", {type: "button", style: "min-height: 2.2em"}, text);
    one.addEventListener("click", act);
    return one;
  }

  function check(parent, text, checked, change) {
    const label = add(parent, "label", {style: "padding: .3em 0"});
    const input = add(label, "input", {type: "checkbox"});
    input.checked = checked;
    label.append(` ${text}`);
    input.addEventListener("change", () => change(input.checked));
  }

  function choose(parent, text, options, value, change) {
    const label = add(parent, "label", {}, `${text} `), select = add(label, "select");
    for (const option of options) add(select, "option", {value: option}, option);
    select.value = value;
    select.addEventListener("change", () => change(select.value));
  }

  function said(root) {
    return add(root, "p", {"aria-live": "polite", style: "margin: .3em 0; min-height: 2.8em"});
  }

  // Axes with a few ticks; gives the scales, and how to draw lines and bars.
  function axes(svg, {left, top, width, height}, {x, y, log = false, xlabel, ylabel, title}) {
    const scale = v => log ? Math.log10(Math.max(v, 1e-300)) : v;
    const [low, high] = y.map(scale);
    const X = v => left + (v - x[0]) / (x[1] - x[0] || 1) * width;
    const Y = v => top + height - (scale(v) - low) / (high - low || 1) * height;
    const inside = v => Math.min(Math.max(v, top), top + height);
    const write = (text, at) => add(svg, "text", {fill: "currentColor", ...at}, text);
    add(svg, "path", {d: `M${left},${top}V${top + height}H${left + width}`, fill: "none",
      stroke: "currentColor", "stroke-opacity": .6});
    for (const at of ticks(low, high, log)) {
      const value = log ? 10 ** at : at;
      write(log && Math.abs(at) > 4 ? `1e${at}` : +value.toFixed(6), {
        x: left - 5, y: Y(value) + 4, "text-anchor": "end", "font-size": 11});
    }
    for (const at of ticks(...x, true))
      write(at, {x: X(at), y: top + height + 14, "font-size": 11, "text-anchor": "middle"});
    write(title, {x: left, y: top - 8, "font-weight": 600});
    write(xlabel, {x: left + width / 2, y: top + height + 29, "text-anchor": "middle"});
    if (ylabel) write(ylabel, {x: left + 6, y: top + 10, "font-size": 11});
    const line = (points, stroke, style = {}) => points.length && add(svg, "path", {
      d: "M" + points.map(([a, b]) => `${X(a).toFixed(1)},${inside(Y(b)).toFixed(1)}`).join("L"),
      fill: "none", stroke, "stroke-width": 2, ...style});
    const dots = (points, fill) => points.forEach(([a, b]) => add(svg, "circle", {
      cx: X(a), cy: inside(Y(b)), r: 1.7, fill, "fill-opacity": .7}));
    return {X, Y, line, dots, write};
  }

  // Two panels side by side, or one above the other where the width is small.
  function panels(width, height, number = 2) {
    const wide = width > 520, left = 46;
    return Array.from({length: number}, (_, i) => wide
      ? {left: left + i * width / number, top: 26, width: width / number - left - 12,
         height: height - 70}
      : {left, top: 26 + i * height / number, width: width - left - 12,
         height: height / number - 70});
  }

  // ---- The pictures ------------------------------------------------------------------------

  // Values on a line: moving one moves all that is computed from them.
  function drawNormalize(root, data) {
    const x = [...data.values], moving = data.moving;
    let gamma = 1, beta = 0, train = true;
    const redraw = canvas(root, 280, data.alt, (svg, width) => {
      const {mean, s, hat, y} = normalize(x, gamma, beta, data.eps, train ? null : moving);
      const left = 34, across = width - left - 14, span = 6;
      const X = v => left + (Math.min(Math.max(v, -span), span) + span) / 2 / span * across;
      const row = (values, at, name, colour, marker) => {
        add(svg, "line", {x1: left, x2: left + across, y1: at, y2: at, stroke: "currentColor",
          "stroke-opacity": .35});
        add(svg, "text", {x: 2, y: at + 5, fill: "currentColor"}, name);
        return values.map((v, i) => add(svg, "circle", {cx: X(v), cy: at, r: marker,
          fill: colour, "fill-opacity": Math.abs(v) > span ? 0 : .85,  // hollow: it is outside
          stroke: "currentColor", "stroke-width": .5}));
      };
      for (const [from, to, top] of [[x, hat, 60], [hat, y, 150]])
        from.forEach((v, i) => add(svg, "line", {x1: X(v), x2: X(to[i]), y1: top, y2: top + 90,
          stroke: "currentColor", "stroke-opacity": .25}));
      add(svg, "rect", {x: X(mean - s), y: 42, width: X(mean + s) - X(mean - s), height: 36,
        fill: BLUE, "fill-opacity": .15});
      add(svg, "line", {x1: X(mean), x2: X(mean), y1: 34, y2: 86, stroke: BLUE,
        "stroke-width": 2.5});
      add(svg, "text", {x: X(mean), y: 28, fill: "currentColor", "text-anchor": "middle"},
        train ? "mean ± s" : "moving mean ± s");
      row(hat, 150, "x̂", BLUE, 6);
      row(y, 240, "y", GREEN, 6);
      row(x, 60, "x", ORANGE, 10).forEach((dot, i) => grip(dot, i, X));
      for (const v of [-4, -2, 0, 2, 4])
        add(svg, "text", {x: X(v), y: 268, fill: "currentColor", "text-anchor": "middle",
          "font-size": 11}, v);
      told.textContent = `${train ? "Mean" : "Moving mean"} ${show(mean)}, s = ${show(s)}. ` +
        `x̂ has mean ${show(sum(hat) / hat.length)}, y has mean ${show(sum(y) / y.length)}: ` +
        (train ? "x̂ stays standardized wherever the points go, and y's mean is β."
               : "in evaluation the statistics are fixed, and each point moves alone.") +
        ([...hat, ...y].some(v => Math.abs(v) > span) ? " Hollow points lie further out." : "");
    });
    function grip(dot, i, X) {
      const set = v => { x[i] = Math.min(Math.max(v, -5), 5); redraw(); };
      for (const [name, value] of Object.entries({tabindex: 0, role: "slider",
        "aria-label": `x ${i + 1}`, "aria-valuemin": -5, "aria-valuemax": 5,
        "aria-valuenow": x[i].toFixed(1), style: "cursor: grab; touch-action: none"}))
        dot.setAttribute(name, value);
      dot.addEventListener("keydown", event => {
        const step = {ArrowLeft: -.2, ArrowDown: -.2, ArrowRight: .2, ArrowUp: .2}[event.key];
        if (!step) return;
        event.preventDefault();
        set(x[i] + step);
        root.querySelectorAll("[role=slider]")[i].focus();
      });
      dot.addEventListener("pointerdown", event => {
        event.preventDefault();
        const box = dot.ownerSVGElement.getBoundingClientRect();
        const at = e => set(((e.clientX - box.left) - X(0)) / (X(1) - X(0)));
        const end = () => { removeEventListener("pointermove", at);
                            removeEventListener("pointerup", end); };
        addEventListener("pointermove", at);
        addEventListener("pointerup", end);
      });
    }
    const equation = add(root, "p", {style: "margin: .3em 0; font-size: 1.15em"});
    for (const [text, colour] of [["x̂", BLUE], [" = (", ""], ["x", ORANGE], [" − ", ""],
         ["μ", BLUE], [") / ", ""], ["s", BLUE], [",   ", ""], ["y", GREEN], [" = γ ", ""],
         ["x̂", BLUE], [" + β", ""]])
      add(equation, "span", colour ? {style: `border-bottom: 3px solid ${colour}`} : {}, text);
    const row = controls(root);
    range(row, "γ", {min: 0, max: 3, step: .1, value: 1, digits: 1}, v => { gamma = v; redraw(); });
    range(row, "β", {min: -3, max: 3, step: .1, value: 0, digits: 1}, v => { beta = v; redraw(); });
    check(row, "evaluation mode (moving statistics)", false, on => { train = !on; redraw(); });
    const told = said(root);
    redraw();
  }

  // A batch of images by channels: which cells share one mean and one variance.
  function drawShares(root, data) {
    const [N, C, P] = data.shape;
    let kind = "batch", groups = data.groups, at = [0, 0];
    const redraw = canvas(root, 210, data.alt, (svg, width) => {
      const size = Math.min(46, (width - 60) / C), gap = 4, left = 44;
      let shared = 0;
      for (let n = 0; n < N; n++) for (let c = 0; c < C; c++) {
        const on = shares(kind, groups, C, at, [n, c]);
        shared += on ? P : 0;
        const cell = add(svg, "rect", {x: left + c * size, y: 24 + n * size, width: size - gap,
          height: size - gap, rx: 3, fill: on ? BLUE : GREY, "fill-opacity": on ? .9 : .25,
          stroke: n === at[0] && c === at[1] ? ORANGE : "none", "stroke-width": 4,
          style: "cursor: pointer"});
        cell.addEventListener("click", () => { at = [n, c]; redraw(); });
      }
      const write = (text, x, y, anchor = "middle") => add(svg, "text", {x, y,
        fill: "currentColor", "text-anchor": anchor}, text);
      write("channels", left + C * size / 2, 14);
      for (let n = 0; n < N; n++) write(`x${n + 1}`, left - 8, 24 + (n + .6) * size, "end");
      told.textContent = `${kind} norm: the ${shared} values of the blue cells (${P} pixels ` +
        `each) share one mean and one variance with the framed cell; the batch has ` +
        `${N * C * P / shared} such pairs.`;
    });
    const row = controls(root);
    choose(row, "Norm", ["batch", "layer", "instance", "group"], kind, v => { kind = v; redraw(); });
    range(row, "Groups", {min: 1, max: C, step: 1, value: groups}, v => { groups = v; redraw(); });
    range(row, "Example", {min: 1, max: N, step: 1, value: 1}, v => { at[0] = v - 1; redraw(); });
    range(row, "Channel", {min: 1, max: C, step: 1, value: 1}, v => { at[1] = v - 1; redraw(); });
    const told = said(root);
    redraw();
  }

  // The run's batch statistics, their moving average at any momentum, and the true value.
  function drawMoving(root, data) {
    const steps = data.mean.batch.length;
    let momentum = .9, shown = steps, timer = 0;
    const limits = {}, farthest = {}, end = {"text-anchor": "end", "font-size": 11};
    const distances = (name, momentum) =>
      movingAverage(data[name].batch, momentum, data[name].start)
        .map((v, k) => Math.abs(v - data[name].true[k]));
    for (const name of ["mean", "variance"]) {
      const all = [...data[name].batch, ...data[name].true, data[name].start];
      limits[name] = [Math.min(...all), Math.max(...all)];
      farthest[name] = Math.max(...[0, .99].flatMap(one => distances(name, one)));
    }
    const redraw = canvas(root, innerWidth > 560 ? 420 : 780, data.alt, (svg, width, height) => {
      const words = [];
      panels(width, height).forEach((whole, i) => {
        const place = {...whole, height: whole.height * .58};
        const name = ["mean", "variance"][i], {batch, true: truth, start} = data[name];
        const moving = movingAverage(batch, momentum, start);
        const points = values => values.slice(0, shown).map((v, k) => [k + 1, v]);
        const one = axes(svg, place, {x: [1, steps], y: limits[name], xlabel: "step",
          title: `${name[0].toUpperCase()}${name.slice(1)} of a channel`});
        one.dots(points(batch), GREY);
        one.line(points(truth), "currentColor", {"stroke-dasharray": "6 4"});
        one.line(points(moving), BLUE);
        const {left, top, width: across, height: high} = place;
        one.write("● batch", {x: left + across, y: top + high - 36, ...end, fill: GREY});
        one.write("╍ true", {x: left + across, y: top + high - 22, ...end});
        one.write("━ moving", {x: left + across, y: top + high - 8, ...end, fill: BLUE});
        const gaps = distances(name, momentum).slice(0, shown);
        axes(svg, {...whole, top: whole.top + whole.height * .58 + 64,
          height: whole.height * .42 - 64}, {x: [1, steps],
          y: [0, farthest[name]], xlabel: "step",
          title: "Distance from the true value"}).line(gaps.map((v, k) => [k + 1, v]), BLUE);
        const late = gaps.slice(Math.floor(gaps.length / 2));
        words.push(`${name} ${show(sum(gaps.slice(0, 50)) / Math.min(50, gaps.length), 3)} over ` +
          `the first 50 steps, ${show(sum(late) / late.length, 3)} over the later half`);
      });
      told.textContent = `Momentum ${momentum.toFixed(2)}, up to step ${shown}. Mean distance ` +
        `of the moving value (blue) from the true one (dashed): ${words.join("; ")}.`;
    });
    const row = controls(root);
    range(row, "Momentum", {min: 0, max: .99, step: .01, value: momentum, digits: 2},
      v => { momentum = v; redraw(); });
    const step = range(row, "Step", {min: 1, max: steps, step: 1, value: steps},
      v => { shown = v; redraw(); });
    const to = v => { shown = Math.min(v, steps); step.set(shown); redraw(); };
    const stop = () => { clearInterval(timer); timer = 0; play.textContent = "Play"; };
    const play = button(row, "Play", () => {
      if (timer) return stop();
      if (still.matches) return to(steps);
      if (shown === steps) to(1);
      play.textContent = "Pause";
      timer = setInterval(() => shown < steps && root.isConnected
        ? to(shown + Math.ceil(steps / 160)) : stop(), 50);
    });
    button(row, "One step", () => { stop(); to(shown === steps ? 1 : shown + 1); });
    const told = said(root);
    redraw();
  }

  // Activations and gradients by block, as the formulas give them at the start of a training.
  function drawFlow(root, data) {
    const state = {depth: 20, gain: 1, shortcut: false, norm: false, ...data.start};
    const redraw = canvas(root, innerWidth > 560 ? 280 : 480, data.alt, (svg, width, height) => {
      const {forward, backward} = flow(state);
      const colour = state.shortcut ? ORANGE : state.norm ? BLUE : GREY;
      panels(width, height).forEach((place, i) => {
        const values = [forward, backward][i];
        const bounds = [Math.min(...values, .1) , Math.max(...values, 10)];
        axes(svg, place, {x: [0, state.depth], y: bounds, log: true, xlabel: "block",
          title: ["Variance of activations", "Gradient, mean square"][i]})
          .line(values.map((v, k) => [k, v]), colour, {"stroke-width": 3});
      });
      told.textContent = `${state.shortcut ? "Residual" : "Plain"}, ` +
        `${state.norm ? "with" : "without"} normalization, ${state.depth} blocks: activations ` +
        `grow ${show(forward[state.depth])} times, gradients ${show(backward[0])} times on ` +
        `their way back.`;
    });
    const row = controls(root), set = name => v => { state[name] = v; redraw(); };
    range(row, "Blocks", {min: 2, max: 100, step: 1, value: state.depth}, set("depth"));
    range(row, "Gain of a layer (He's: 1)", {min: .2, max: 2, step: .05, value: 1, digits: 2},
      set("gain"));
    check(row, "shortcut", state.shortcut, set("shortcut"));
    check(row, "normalization", state.norm, set("norm"));
    const told = said(root);
    redraw();
  }

  // The blocks of the run's network: strike some out, and see which paths are left.
  function drawUnravelled(root, data) {
    const n = data.single.length, out = new Set();
    const redraw = canvas(root, 250, data.alt, (svg, width) => {
      const size = (width - 20) / n, left = 10;
      add(svg, "line", {x1: left, x2: width - 10, y1: 30, y2: 30, stroke: "currentColor",
        "stroke-width": 2});
      for (let i = 0; i < n; i++) {
        const gone = out.has(i), x = left + i * size;
        const block = add(svg, "g", {tabindex: 0, role: "checkbox", "aria-checked": !gone,
          "aria-label": `block ${data.names[i]}`, style: "cursor: pointer"});
        add(block, "rect", {x: x + size * .15, y: 46, width: size * .7, height: 34, rx: 4,
          fill: gone ? "none" : ORANGE, stroke: gone ? GREY : ORANGE,
          "stroke-dasharray": gone ? "3 3" : "none"});
        add(block, "path", {d: `M${x + size * .1},30V63H${x + size * .15}M${x + size * .85},63` +
          `H${x + size * .9}V30`, fill: "none", stroke: "currentColor",
          "stroke-opacity": gone ? .15 : .8});
        add(block, "text", {x: x + size / 2, y: 68, "text-anchor": "middle",
          fill: gone ? "currentColor" : "#1a1a1a"}, data.names[i]);
        const flip = () => { gone ? out.delete(i) : out.add(i); redraw(); };
        block.addEventListener("click", flip);
        block.addEventListener("keydown", event => {
          if (event.key !== " " && event.key !== "Enter") return;
          event.preventDefault();
          flip();
          root.querySelectorAll("[role=checkbox]")[i].focus();
        });
      }
      const whole = paths(n), rest = paths(n - out.size), top = Math.max(...whole);
      const chart = axes(svg, {left: 46, top: 116, width: width - 58, height: 90}, {x: [0, n],
        y: [0, top], xlabel: "blocks on a path", title: "Paths by their length"});
      whole.forEach((value, k) => [[value, "none", GREY], [rest[k] || 0, ORANGE, ORANGE]].forEach(
        ([v, fill, stroke]) => add(svg, "rect", {x: chart.X(k) - 4, y: chart.Y(v), width: 8,
          height: chart.Y(0) - chart.Y(v), fill, stroke})));
      const struck = [...out].sort((a, b) => a - b);
      const measured = struck.length === 0 ? data.whole
        : struck.length === 1 ? data.single[struck[0]] : data.several[struck.length];
      told.textContent = `${2 ** (n - out.size)} of ${2 ** n} paths are left. ` +
        (measured === undefined ? "So many blocks out were not measured." :
         `Accuracy in this run: ${measured.toFixed(3)}` +
         (struck.length > 1 ? ` (mean over draws of ${struck.length} blocks)` : "") +
         `; the whole network has ${data.whole.toFixed(3)}.`);
    });
    button(controls(root), "All blocks back", () => { out.clear(); redraw(); });
    const told = said(root);
    redraw();
  }

  // Channels, parameters, work and memory of a dense block, as its sizes are chosen.
  function drawDense(root, data) {
    const state = {...data.start};
    const narrow = innerWidth <= 560;
    const redraw = canvas(root, narrow ? 470 : 250, data.alt, (svg, width) => {
      const {rows, out, after, costs} = dense(state), half = narrow ? width : width / 2;
      const write = (text, at) => add(svg, "text", {fill: "currentColor", "font-size": 11, ...at},
        text);
      // A bar with its name on the left and its value behind it, where there is room for them.
      const bar = (x, y, high, share, fill, name, value, named = high > 11) => {
        const wide = share * (half - 46 - 74);
        add(svg, "rect", {x, y, width: wide, height: Math.max(high - 3, 2), fill});
        if (!named) return;
        write(name, {x: x - 6, y: y + high * .7, "text-anchor": "end"});
        write(value, {x: x + wide + 5, y: y + high * .7});
      };
      const bold = {"font-weight": 600, "font-size": 13, y: 14}, down = 200 / (rows.length + 1);
      write("Channels read, and what leaves", {...bold, x: 46});
      rows.forEach((one, i) => bar(46, 24 + i * down, down, one.into / out, GREEN, i + 1, one.into,
        down > 11 || i === 0));
      bar(46, 24 + rows.length * down, down, after / out, GREY, "out", after, true);
      const say = (value, digits) => value < 1e6 ? value.toLocaleString("en")
        : value < 1e9 ? `${(value / 1e6).toFixed(digits)} M` : `${(value / 1e9).toFixed(1)} G`;
      const left = narrow ? 46 : half + 46, top = narrow ? 240 : 0;
      [["Parameters", "parameters", v => say(v, 2)],
       ["Multiply-adds of an image", "work", v => say(v, 1)],
       ["Kept for the backward pass", "kept", v => `${(v * 4 / 2 ** 20).toFixed(2)} MiB`],
      ].forEach(([title, kind, tell], i) => {
        const pair = [costs.concatenate[kind], costs.add[kind]], most = Math.max(...pair);
        write(title, {...bold, x: left, y: top + 14 + i * 72});
        bar(left, top + 22 + i * 72, 20, pair[0] / most, GREEN, "[ , ]", tell(pair[0]));
        bar(left, top + 42 + i * 72, 20, pair[1] / most, ORANGE, "+", tell(pair[1]));
      });
      const times = kind => (costs.add[kind] / costs.concatenate[kind]).toFixed(1);
      told.textContent = `${out} channels, ${after} behind the transition. As many 3 × 3 ` +
        `convolutions that add, ${out} channels wide throughout, have ${times("parameters")} ` +
        `times the parameters, ${times("work")} times the multiply-adds and ${times("kept")} ` +
        `times the values kept for the backward pass (float32).`;
    });
    const row = controls(root), set = name => v => { state[name] = v; redraw(); };
    range(row, "Channels in", {min: 8, max: 128, step: 8, value: state.channels}, set("channels"));
    range(row, "Growth rate", {min: 4, max: 48, step: 4, value: state.growth}, set("growth"));
    range(row, "Convolutions", {min: 1, max: 24, step: 1, value: state.convs}, set("convs"));
    range(row, "Compression", {min: .25, max: 1, step: .25, value: state.compression, digits: 2},
      set("compression"));
    check(row, "bottleneck (where it saves)", state.bottleneck, set("bottleneck"));
    const told = said(root);
    redraw();
  }

  const pictures = {normalize: drawNormalize, shares: drawShares, moving_average: drawMoving,
                    flow: drawFlow, unravelled: drawUnravelled, dense: drawDense};
  // Take the place of the still once a reader is near: a page opens faster so.
  return (id, kind, data) => {
    const root = document.getElementById(id), image = root.querySelector("img");
    new IntersectionObserver((seen, observer) => {
      if (!seen.some(one => one.isIntersecting)) return;
      observer.disconnect();
      image.hidden = true;
      image.style.display = "none";
      const place = document.createElement("div");
      root.prepend(place);
      pictures[kind](place, data);
    }, {rootMargin: "100%"}).observe(root);
  };
})();
if (typeof module !== "undefined") module.exports = explore;

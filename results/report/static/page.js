// The page: which data goes into which table and figure, and the choices above the figures.

const leaderboard = readData("leaderboard");
const redraws = [];

// Work that is out of sight waits until it is nearly in sight.
function whenNear(host, work) {
  const watcher = new IntersectionObserver((seen) => {
    if (!seen.some((s) => s.isIntersecting)) return;
    watcher.disconnect();
    work();
    redraws.push(work);
    host.dataset.drawn = "yes";
  }, { rootMargin: "400px" });
  watcher.observe(host);
}

function unique(values) {
  return [...new Set(values)];
}

function kept(select, values) {
  const before = select.value;
  select.replaceChildren(...values.map((v) => new Option(v, v)));
  if (values.includes(before)) select.value = before;
  select.parentElement.hidden = values.length < 2;
}

function setUpRoc() {
  const curves = readData("curves");
  const choices = document.getElementById("roc-choices"), figure = document.getElementById("roc-figure");
  if (!choices) return;
  const by = picker([["attack", "models under one attack"], ["variant", "attacks on one model"]]);
  const target = picker(unique(curves.map((c) => c.target)).map((v) => [v, v])), one = picker([]);
  const ticks = document.createElement("fieldset");
  const oneLabel = labelled("", one);
  choices.append(labelled("Compare", by), labelled("Target", target), oneLabel, ticks);
  target.parentElement.hidden = target.length < 2;
  const other = () => (by.value === "attack" ? "variant" : "attack");
  const here = () => curves.filter((c) => c.target === target.value && c[by.value] === one.value);
  const picked = () => [...ticks.querySelectorAll("input:checked")].map((i) => i.value);

  function refill() {
    const most = (v) => -curves.filter((c) => c[by.value] === v).length;
    const values = unique(curves.filter((c) => c.target === target.value).map((c) => c[by.value]));
    kept(one, by.value === "attack" ? values : values.sort((a, b) => most(a) - most(b)));
    oneLabel.firstChild.textContent = by.value === "attack" ? "Attack" : "Model";
    retick();
  }
  function retick() {
    const legend = Object.assign(document.createElement("legend"), { textContent: other() === "variant" ? "Models held" : "Attacks" });
    ticks.replaceChildren(legend, ...here().map((c, i) => {
      const box = Object.assign(document.createElement("input"), { type: "checkbox", value: c[other()], checked: i < 4 });
      const label = document.createElement("label");
      label.append(box, c[other()]);
      return label;
    }));
    redraw();
  }
  function redraw() {
    const all = here(), names = picked();
    const shown = all.filter((c) => names.includes(c[other()])).slice(0, 8);
    figure.setAttribute("aria-label", `ROC curves for ${one.value}: ${shown.map((c) => c[other()]).join(", ")}. The numbers are in the table below.`);
    if (figure.dataset.drawn && shown.length) drawRoc(figure, shown.map((c) => ({ curve: c, title: c[other()] })));
    plainTable(document.getElementById("roc-table"), `TPR with 95 % intervals, ${one.value}`, ["Curve", "at 0.1 % FPR", "at 1 %", "at 10 %"],
      shown.map((c) => [c[other()], ...[0.001, 0.01, 0.1].map((fpr) => rateAt(c, fpr))]));
  }
  by.addEventListener("change", refill);
  target.addEventListener("change", refill);
  one.addEventListener("change", retick);
  ticks.addEventListener("change", redraw);
  refill();
  whenNear(figure, () => { figure.dataset.drawn = "yes"; redraw(); });
}

// The point of a curve at the most false positives that an FPR allows.
function rateAt(curve, fpr) {
  const at = curve.allowed.findLastIndex((k) => k <= fpr * curve.nonmembers + 1e-9);
  if (at < 0) return "n/a";
  const [rate, low, high] = [curve.tp[at] / curve.members, curve.low[at], curve.high[at]].map((v) => FORMS.percent(v));
  return `${rate} (${low} to ${high})`;
}

function setUpTradeoff() {
  const groups = readData("tradeoff");
  const choices = document.getElementById("tradeoff-choices");
  if (!choices) return;
  const column = (title) => leaderboard.columns.find((c) => c.title === title);
  const [held, framework, technique, auc, size, accuracy] = ["Held model", "Framework", "Technique", "AUC", "kB gzip", "Accuracy"].map(column);
  const target = picker(unique(groups.map((g) => g.target)).map((v) => [v, v])), attack = picker([]);
  choices.append(labelled("Attack", attack), labelled("Target", target));
  target.parentElement.hidden = target.length < 2;
  const fill = () => kept(attack, unique(groups.filter((g) => g.target === target.value).map((g) => g.attack)));
  const host = (name) => document.getElementById("tradeoff-" + name);

  function redraw() {
    const group = groups.find((g) => g.target === target.value && g.attack === attack.value);
    const point = (row, i) => ({
      name: textOf(held, row), y: auc.values[row], low: auc.low[row], high: auc.high[row],
      kb: size.values[row] / 1000, accuracy: accuracy.values[row], all: group.all[i],
      colour: framework.codes[row], symbol: technique.codes[row], row,
    });
    const points = group.rows.map(point);
    const described = `AUC of ${attack.value} on ${points.length} models against `;
    host("size").setAttribute("aria-label", described + "their size. The numbers are in the table below.");
    host("accuracy").setAttribute("aria-label", described + "their accuracy. The numbers are in the table below.");
    drawTradeoff(host("size"), points.map((p, i) => ({ ...p, x: p.kb, front: group.size[i] })), "Size, kB gzip", { type: "log", ...roundTicks(points.map((p) => p.kb)) });
    drawTradeoff(host("accuracy"), points.map((p, i) => ({ ...p, x: p.accuracy, front: group.accuracy[i] })), "Accuracy", { tickformat: ".3~f" });
    const pairs = new Map(points.map((p) => [`${p.colour} ${p.symbol}`, p]));
    host("legend").replaceChildren(...[...pairs.values()].map((p) => {
      const words = unique([textOf(framework, p.row), textOf(technique, p.row)]).filter((w) => w !== "none");
      return legendEntry(words.join(" ") || "original", p.colour, p.symbol);
    }), Object.assign(document.createElement("li"), { textContent: "filled: on the front" }));
    plainTable(host("table"), `AUC of ${attack.value} against size and accuracy`, ["Model", "AUC", "95 %", "kB gzip", "Accuracy", "Not beaten in all three"],
      points.map((p) => [p.name, FORMS.fraction(p.y), `${FORMS.fraction(p.low)} to ${FORMS.fraction(p.high)}`, FORMS.kilobytes(1000 * p.kb), FORMS.fraction(p.accuracy), p.all ? "yes" : ""]));
  }
  target.addEventListener("change", () => { fill(); redraw(); });
  attack.addEventListener("change", redraw);
  fill();
  whenNear(host("size"), redraw);
}

function setUpModels() {
  const groups = readData("models");
  const choices = document.getElementById("models-choices"), figure = document.getElementById("models-figure");
  if (!choices) return;
  const attack = picker(groups.map((g) => [g.attack, g.attack]));
  choices.append(labelled("Attack", attack));
  function redraw() {
    const group = groups.find((g) => g.attack === attack.value), several = group.models;
    figure.setAttribute("aria-label", `AUC of ${group.attack} on ${several.length} models against their accuracy. The numbers are in the table below.`);
    drawModels(figure, several);
    document.getElementById("models-rank").textContent = group.tau === null ? "" :
      `Kendall’s rank correlation of accuracy and AUC over these ${several.length} models: ${formatted(group.tau, "signed")}, p = ${group.p < 0.001 ? "less than 0.001" : FORMS.fraction(group.p)}, if they are taken for independent draws.`;
    const worded = ([value, low, high]) => [FORMS.fraction(value), `${FORMS.fraction(low)} to ${FORMS.fraction(high)}`];
    plainTable(document.getElementById("models-table"), `AUC of ${group.attack} against accuracy`, ["Model", "Accuracy", "95 %", "AUC", "95 %"],
      several.map((m) => [m.name, ...worded(m.accuracy), ...worded(m.auc)]));
  }
  attack.addEventListener("change", redraw);
  whenNear(figure, redraw);
}

function setUpClasses() {
  const found = readData("classes");
  const choices = document.getElementById("classes-choices"), figure = document.getElementById("classes-figure");
  if (!choices) return;
  const [target, attack, variant] = [picker([]), picker([]), picker([])];
  choices.append(labelled("Target", target), labelled("Attack", attack), labelled("Model", variant));
  const among = (t, a) => found.filter((f) => (!t || f.target === t) && (!a || f.attack === a));
  function fill() {
    kept(target, unique(found.map((f) => f.target)));
    kept(attack, unique(among(target.value).map((f) => f.attack)));
    kept(variant, unique(among(target.value, attack.value).map((f) => f.variant)));
  }
  function redraw() {
    const one = among(target.value, attack.value).find((f) => f.variant === variant.value);
    figure.setAttribute("aria-label", `AUC of ${one.attack} on ${one.variant}, class by class. The numbers are in the table below.`);
    drawClasses(figure, one);
    plainTable(document.getElementById("classes-table"), `${one.attack} on ${one.variant}`, ["Class", "AUC", "95 %", "Members", "Called members", "Non-members", "Called members"],
      one.classes.map((c) => [String(c.class), formatted(c.auc, "fraction") || "n/a", c.auc === null ? "" : `${FORMS.fraction(c.low)} to ${FORMS.fraction(c.high)}`, ...[c.members, c.tp, c.nonmembers, c.fp].map(String)]));
  }
  const change = () => { fill(); redraw(); };
  for (const select of [target, attack, variant]) select.addEventListener("change", change);
  fill();
  whenNear(figure, redraw);
}

for (const host of document.querySelectorAll("[data-table]")) {
  const name = host.dataset.table;
  if (name === "leaderboard") buildTable(host, leaderboard);
  else whenNear(host, () => host.querySelector("table") || buildTable(host, readData(name)));
}
setUpRoc();
setUpTradeoff();
setUpModels();
setUpClasses();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraws.forEach((work) => work()));
document.documentElement.dataset.ready = "yes";

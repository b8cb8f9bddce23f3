// Values that may be changed, and what follows from them. Without this script the page shows the values as they are.
for (const part of document.querySelectorAll(".inputs")) {
  const model = JSON.parse(part.dataset.model);
  if (!model.rows.some((row) => Object.keys(row).length)) continue;
  const body = part.querySelector("table:not(.fields)").tBodies[0];
  const rows = [...body.rows].map((row, place) => ({
    row, formulas: model.rows[place], ranked: model.ranked.includes(place), likely: null, draws: null,
    original: [...row.cells].map((cell) => ({ nodes: [...cell.childNodes], sort: cell.dataset.sort })),
  }));
  const inputs = [...part.querySelectorAll("[data-field]")].map(input);
  const status = part.querySelector(".status");
  const note = part.querySelector(".scripted");
  const reset = document.createElement("button");
  reset.type = "button";
  reset.className = "reset";
  reset.textContent = "Back to the values as given";
  reset.addEventListener("click", () => {
    for (const each of inputs) each.value = each.defaultValue;
    recompute();
  });
  note.append(reset);
  note.hidden = false;
  for (const each of inputs) each.addEventListener("input", recompute);

  function recompute() {
    const wrong = inputs.filter((each) => !each.checkValidity() || each.value === "");
    if (wrong.length) {
      const { min, max } = wrong[0];
      status.textContent = `${wrong[0].getAttribute("aria-label")}: enter a number ${max ? `from ${min} to ${max}` : `of at least ${min}`}.`;
      return;
    }
    const values = Object.fromEntries(inputs.map((each) => [each.name, Number(each.value)]));
    const changed = new Set(inputs.filter((each) => Number(each.value) !== Number(each.defaultValue)).map((each) => each.name));
    for (const each of rows) show(each, values, changed);
    rank(changed.size > 0);
    status.textContent = changed.size
      ? "Recomputed in your browser. The recommendation, the pictures and the other tables keep the values as given."
      : "";
  }

  // A cell that depends on nothing that was changed is left as it was.
  function show(each, values, changed) {
    each.draws = null;
    for (const [column, cell] of [...each.row.cells].entries()) {
      const formula = each.formulas[column];
      const touched = formula && keys(formula).some((key) => changed.has(key));
      const found = formula && (touched || column === model.by) ? summary(formula, values) : null;
      restore(cell, each.original[column]);
      if (touched) {
        cell.replaceChildren(found.likely === null ? formula.else : bracketed(found.likely, found.low, found.high));
        if (found.likely === null) delete cell.dataset.sort;
        else cell.dataset.sort = String(found.likely);
      }
      cell.classList.toggle("changed", Boolean(touched));
      if (column === model.by && found && found.likely !== null) Object.assign(each, { likely: found.likely, draws: found.draws });
    }
  }

  function restore(cell, original) {
    cell.replaceChildren(...original.nodes);
    if (original.sort === undefined) delete cell.dataset.sort;
    else cell.dataset.sort = original.sort;
  }

  // Least first; a new rank begins where one is dearer than one of the rank above in 95 % of all pairs of draws.
  function rank(edited) {
    if (!edited || model.by === null) {
      body.replaceChildren(...rows.map((each) => each.row));
      return;
    }
    const known = rows.filter((each) => each.ranked && each.draws).sort((a, b) => a.likely - b.likely);
    let opening = 0;
    known.forEach((each, place) => {
      if (known.slice(opening, place).some((above) => dearer(each.draws, above.draws) >= 0.95)) opening = place;
      const cell = each.row.cells[0];
      cell.replaceChildren(String(opening + 1));
      cell.dataset.sort = String(opening + 1);
    });
    body.replaceChildren(...known.map((each) => each.row), ...rows.filter((each) => !known.includes(each)).map((each) => each.row));
  }
}

function input(cell) {
  const made = document.createElement("input");
  made.type = "number";
  made.step = "any";
  made.name = cell.dataset.field;
  made.min = cell.dataset.low;
  if (cell.dataset.high) made.max = cell.dataset.high;
  made.defaultValue = cell.textContent;
  made.setAttribute("aria-label", cell.parentElement.cells[0].textContent);
  cell.replaceChildren(made);
  return made;
}

function keys(formula) {
  return [...formula.up, ...formula.down, ...formula.limit].flatMap(([, factors]) => factors.flatMap(([names]) => names));
}

// Median and 90 % interval over the draws; no number where the divisor is not above 0, or the value above its limit.
function summary(formula, values) {
  const up = sum(formula.up, values);
  const down = formula.down.length ? sum(formula.down, values) : null;
  const count = Math.max(up.length, down ? down.length : 1);
  const draws = Array.from({ length: count }, (_, i) => {
    const over = down ? down[i % down.length] : 1;
    return over > 0 ? up[i % up.length] / over : Infinity;
  }).sort((a, b) => a - b);
  const [low, likely, high] = [0.05, 0.5, 0.95].map((share) => quantile(draws, share));
  const most = formula.limit.length ? sum(formula.limit, values)[0] : Infinity;
  return Number.isFinite(likely) && likely <= most ? { likely, low, high, draws } : { likely: null };
}

function sum(terms, values) {
  const count = Math.max(1, ...terms.map(([draws]) => draws.length));
  const scales = terms.map(([, factors]) => factors.reduce(
    (so_far, [names, power, offset]) => so_far * (offset + Math.max(...names.map((key) => values[key]))) ** power, 1));
  return Array.from({ length: count }, (_, i) => terms.reduce((so_far, [draws], k) => so_far + draws[i % draws.length] * scales[k], 0));
}

// The draws stand for equal parts of the distribution, each for the middle of its part (Hazen's plotting positions).
function quantile(sorted, share) {
  const place = Math.min(Math.max(share * sorted.length - 0.5, 0), sorted.length - 1);
  const below = Math.floor(place), part = place - below;
  return part ? sorted[below] + part * (sorted[below + 1] - sorted[below]) : sorted[below];
}

// The share of all pairs in which the first is above the second.
function dearer(draws, others) {
  const above = draws.reduce((count, draw) => count + others.filter((other) => draw > other).length, 0);
  return above / (draws.length * others.length);
}

function digits(value, significant) {
  if (value === 0) return "0";
  if (!Number.isFinite(value)) return "never";
  const rounded = Number(value.toPrecision(significant));
  const places = Math.max(significant - 1 - Math.floor(Math.log10(Math.abs(rounded))), 0);
  return rounded.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
}

// As `reports.answer_words` writes a value with its interval.
function bracketed(value, low, high) {
  if (low === high) return digits(value, 3);
  let text = "";
  for (const significant of [3, 4]) {
    const [middle, ...bounds] = [value, low, high].map((each) => digits(each, significant));
    text = `${middle} [${bounds.join(",\u00a0")}]`;
    if (!bounds.includes(middle)) break;
  }
  return text;
}

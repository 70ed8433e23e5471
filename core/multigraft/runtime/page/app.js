// The page: which model, what is given to it, what it answers.
import { showAnswer, spoken } from "./answer.js";
import { Refused, models, predict, predictAll, program, transcribe, useToken } from "./ask.js";
import { find, make } from "./dom.js";
import { explainable, whyButton } from "./explanation.js";
import { ranked } from "./ranking.js";
import { transcript } from "./transcript.js";
import { widgetFor } from "./widgets.js";
import { written } from "./writing.js";

let served = [];
let model = null;
let widget = null;
let asked = 0; // of several answers on their way only the last is shown
let leave = new AbortController(); // and the others' work ends

async function open() {
  complain("");
  try {
    served = await models((told) => (find("facts").textContent = told));
  } catch (error) {
    if (error.status !== 401) return complain(error.message);
    askForToken();
    return;
  }
  find("token-form").hidden = true;
  find("ask").hidden = false;
  find("model").replaceChildren(...served.map(({ name }) => make("option", { value: name }, name)));
  find("choice").hidden = served.length < 2;
  choose(served[0].name);
}

function choose(name) {
  widget?.stop();
  leave.abort();
  asked++;
  busy(false);
  model = served.find((each) => each.name === name);
  widget = widgetFor(model, { submit: answer, complain });
  find("give").replaceChildren(widget.element);
  find("hint").textContent = widget.hint;
  find("result").hidden = true;
  describe();
  complain("");
}

function describe() {
  document.title = `${model.name} · multigraft`;
  find("title").textContent = model.name;
  const labels = model.labels.length ? `${model.labels.length} labels` : "";
  find("facts").textContent = [model.task, model.backbone, model.precision, labels].filter(Boolean).join(" · ");
  find("program").hidden = false;
  find("code").textContent = program(model);
}

async function answer() {
  const value = widget.value();
  if (!value) {
    complain("There is nothing to answer yet.");
    widget.focus();
    return;
  }
  const own = ++asked;
  leave.abort();
  leave = new AbortController();
  busy(true);
  complain("");
  const began = performance.now();
  try {
    const { answer: found, time } = await askedFor(value, (show) => own === asked && show());
    if (own !== asked) return;
    showAnswer(find("answer"), found, value, model, widget.seek);
    if (explainable(model, value)) find("answer").append(whyButton(value, () => why(model, value), complain));
    find("time").textContent = `${time}, ${(performance.now() - began).toFixed(0)} ms in all`;
    find("result").hidden = false;
    find("spoken").textContent = spoken(found);
  } catch (error) {
    if (own !== asked) return;
    find("result").hidden = true;
    if (error instanceof Refused && error.status === 401) askForToken();
    else complain(error.message);
  } finally {
    if (own === asked) busy(false);
  }
}

// A page without a server has no explanations, and its `ask.js` no such function.
async function why(model, value) {
  const { explain } = await import("./ask.js");
  return explain(model, value);
}

// What the model says of a value; `shown` shows what it said until now where nothing else was asked meanwhile.
function askedFor(value, shown) {
  const { signal } = leave;
  if (value.others) return ranked(value, (values) => predictAll(model, values));
  if (model.transcribes) return transcribe(model, value, { told: (...said) => shown(() => showHearing(...said)), signal });
  return predict(model, value, { told: (text) => shown(() => showWriting(value, text)), signal });
}

// A sound as far as it was heard.
function showHearing(segments, heard) {
  find("answer").replaceChildren(...transcript({ segments }, { seek: widget.seek, heard }));
  find("time").textContent = "Listening …";
  find("result").hidden = false;
  find("result").classList.remove("busy");
}

// A text as far as it is written.
function showWriting(value, text) {
  find("answer").replaceChildren(written(model, value.text, text));
  find("time").textContent = "Writing …";
  find("result").hidden = false;
  find("result").classList.remove("busy");
}

function askForToken() {
  find("token-form").hidden = false;
  find("ask").hidden = true;
  find("token").focus();
}

function busy(is) {
  find("go").disabled = is;
  find("result").classList.toggle("busy", is);
  find("result").setAttribute("aria-busy", String(is));
}

function complain(text) {
  find("alert").hidden = !text;
  find("alert").textContent = text && text.charAt(0).toUpperCase() + text.slice(1);
}

find("ask").noValidate = true;
find("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  answer();
});
find("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useToken(find("token").value.trim());
  find("token").value = "";
  open().then(() => find("token-form").hidden || complain("That token is not the server's."));
});
find("model").addEventListener("change", (event) => choose(event.target.value));
open();

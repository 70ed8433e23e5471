// A sound: dropped, chosen or recorded; seen as a wave and heard before or after it is sent.
import { make } from "./dom.js";
import { dropZone } from "./drop.js";
import { decoded, startRecording } from "./recorder.js";
import { mixed } from "./wav.js";

const DRAWN = 2 ** 24; // bytes of a file whose wave is shown: all of it is decoded at once

export function soundWidget(suffixes, { submit, complain }) {
  let file = null;
  let address = null;
  const wave = make("canvas", { hidden: true });
  wave.setAttribute("role", "img");
  const player = make("audio", { controls: true });
  const heard = make("div", { className: "heard", hidden: true }, wave, player);

  function take(found) {
    if (address) URL.revokeObjectURL(address);
    file = found;
    address = URL.createObjectURL(file);
    player.src = address;
    player.setAttribute("aria-label", `Play ${file.name}`);
    heard.hidden = false;
    zone.name(file);
    show(wave, file);
    submit();
  }

  const zone = dropZone(suffixes, { what: "a sound", taken: take });
  const recorder = recordButton({ taken: take, complain });
  return {
    element: make("div", {}, zone.element, make("div", { className: "row field" }, ...recorder.parts), heard),
    hint: "",
    focus: zone.focus,
    value: () => file && { file },
    seek(seconds) {
      player.currentTime = seconds;
      player.play().catch(() => {}); // a format that only the server reads
    },
    stop() {
      if (address) URL.revokeObjectURL(address);
      recorder.stop();
      zone.stop();
    },
  };
}

function recordButton({ taken, complain }) {
  let running = null;
  let ticking = null;
  const button = make("button", { type: "button", className: "plain" }, "Record");
  const clock = make("span", { className: "recording", hidden: true });
  clock.setAttribute("role", "timer");

  async function start() {
    running = await startRecording();
    const began = performance.now();
    const tick = () => (clock.textContent = `● ${((performance.now() - began) / 1000).toFixed(1)} s`);
    tick();
    ticking = setInterval(tick, 100);
    button.textContent = "Stop recording";
    clock.hidden = false;
  }

  function rest() {
    const stopped = running;
    running = null;
    clearInterval(ticking);
    button.textContent = "Record";
    clock.hidden = true;
    return stopped;
  }

  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      if (running) taken(await rest().finish());
      else await start();
    } catch (error) {
      complain(`The microphone cannot be used: ${error.message}`);
    } finally {
      button.disabled = false;
    }
  });
  return { parts: [button, clock], stop: () => rest()?.cancel() };
}

async function show(canvas, file) {
  canvas.hidden = true;
  if (file.size > DRAWN) return;
  try {
    const buffer = await decoded(file);
    canvas.hidden = false;
    canvas.setAttribute("aria-label", `Wave of ${buffer.duration.toFixed(1)} seconds`);
    draw(canvas, mixed(buffer));
  } catch {
    canvas.hidden = true; // a format that only the server reads
  }
}

function draw(canvas, samples) {
  const scale = devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * scale;
  canvas.height = canvas.clientHeight * scale;
  const context = canvas.getContext("2d");
  context.fillStyle = getComputedStyle(canvas).color;
  const loudest = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1e-6);
  const columns = Math.floor(canvas.width / (3 * scale));
  for (let column = 0; column < columns; column++) {
    let peak = 0;
    const end = Math.floor(((column + 1) * samples.length) / columns);
    for (let i = Math.floor((column * samples.length) / columns); i < end; i++) {
      peak = Math.max(peak, Math.abs(samples[i]));
    }
    const height = Math.max(scale, (peak / loudest) * canvas.height);
    context.fillRect(column * 3 * scale, (canvas.height - height) / 2, 2 * scale, height);
  }
}

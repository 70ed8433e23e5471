// The microphone: what is recorded becomes a WAV file, which every reader of sounds takes.
import { mixed, wavOf } from "./wav.js";

export async function decoded(blob) {
  const context = new AudioContext();
  try {
    return await context.decodeAudioData(await blob.arrayBuffer());
  } finally {
    await context.close();
  }
}

export async function startRecording() {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error("this browser records on https:// and localhost only");
  }
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recorder = new MediaRecorder(stream);
  const parts = [];
  recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
  const ended = new Promise((resolve) => recorder.addEventListener("stop", resolve, { once: true }));
  recorder.start();
  const silence = () => {
    if (recorder.state !== "inactive") recorder.stop();
    stream.getTracks().forEach((track) => track.stop());
  };
  return {
    cancel: silence,
    async finish() {
      silence();
      await ended;
      const buffer = await decoded(new Blob(parts, { type: recorder.mimeType }));
      return new File([wavOf(mixed(buffer), buffer.sampleRate)], "recording.wav", { type: "audio/wav" });
    },
  };
}

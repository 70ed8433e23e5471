// Compressed sounds, by the browser's own decoders, at the rate that the file itself has where it says so.

const PLAIN = 48_000;

export async function decodedByBrowser(buffer, wanted) {
  const rate = rateOf(new DataView(buffer)) ?? wanted;
  const sound = await decodedAt(buffer, rate);
  return { channels: Array.from({ length: sound.numberOfChannels }, (_, i) => sound.getChannelData(i)), rate: sound.sampleRate };
}

async function decodedAt(buffer, rate) {
  try {
    return await contextAt(rate).decodeAudioData(buffer);
  } catch {
    throw new Error("cannot be decoded: it is broken, or no sound that this browser reads (WAV always is)");
  }
}

function contextAt(rate) {
  try {
    return new OfflineAudioContext(1, 1, rate);
  } catch {
    return new OfflineAudioContext(1, 1, PLAIN); // a browser need not know every rate
  }
}

// Of FLAC, Ogg Opus and Ogg Vorbis; null where only a decoder can tell.
function rateOf(view) {
  const text = (at, length) => String.fromCharCode(...new Uint8Array(view.buffer, at, length));
  if (view.byteLength < 64) return null;
  if (text(0, 4) === "fLaC") return (view.getUint16(18) << 4) | (view.getUint8(20) >> 4);
  if (text(0, 4) !== "OggS") return null;
  const packet = 27 + view.getUint8(26);
  if (view.byteLength < packet + 16) return null;
  if (text(packet, 8) === "OpusHead") return PLAIN;
  return text(packet, 7) === "\u0001vorbis" ? view.getUint32(packet + 12, true) : null;
}

// The mean of all channels, rounded as float32 at every step.

export function mono(channels, most) {
  const length = Math.min(most, channels[0]?.length ?? 0);
  if (channels.length === 1) return Float32Array.from(channels[0].subarray(0, length));
  const mean = new Float32Array(length);
  for (const samples of channels) {
    for (let i = 0; i < length; i++) mean[i] += samples[i];
  }
  for (let i = 0; i < length; i++) mean[i] /= channels.length;
  return mean;
}

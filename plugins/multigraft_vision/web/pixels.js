// From a file to 8-bit RGB, by the browser's own decoders: upright by its EXIF, on white, its first frame.

const KNOWN = "PNG, JPEG, WebP, BMP and GIF";

export async function decoded(file, maxPixels) {
  const bitmap = await opened(file);
  const { width, height } = bitmap;
  try {
    if (width * height > maxPixels) {
      throw new Error(`has ${width} x ${height} pixels, more than the limit of ${maxPixels}; make the picture smaller`);
    }
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
    context.drawImage(bitmap, 0, 0);
    return { data: withoutAlpha(context.getImageData(0, 0, width, height).data), width, height };
  } finally {
    bitmap.close();
  }
}

async function opened(file) {
  if (!file.size) throw new Error("the file is empty");
  try {
    return await createImageBitmap(file, { colorSpaceConversion: "none", imageOrientation: "from-image" });
  } catch {
    throw new Error(`is broken, or no picture that a browser reads; known formats: ${KNOWN}`);
  }
}

function withoutAlpha(rgba) {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let i = 0, j = 0; i < rgba.length; i += 4) {
    rgb[j++] = rgba[i];
    rgb[j++] = rgba[i + 1];
    rgb[j++] = rgba[i + 2];
  }
  return rgb;
}

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from multigraft import RowError
from multigraft_vision.pictures import too_large
from multigraft_vision.reader import image_reader

SPEC = {
    "kind": "image",
    "size": [32, 32],
    "crop": 1.0,
    "interpolation": "bicubic",
    "fit": "center",
    "max_pixels": 1_000_000,
}


def reader(**changes):
    return image_reader({**SPEC, **changes})


def picture(width=32, height=32, mode="RGB", seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def smooth(width, height):
    """A picture with edges and gradients, as photographs have."""
    x, y = np.meshgrid(np.linspace(0, 6, width), np.linspace(0, 9, height))
    waves = np.stack([np.sin(x * y), np.cos(x + y), np.sin(x) * np.cos(y)], -1)
    return Image.fromarray(((waves + 1) * 127.5).astype(np.uint8))


def test_a_picture_of_the_right_size_is_left_as_it_is():
    image = picture()
    row = reader().read(image)
    assert row["image"].dtype == np.uint8
    assert row["image"].flags.writeable
    np.testing.assert_array_equal(row["image"], np.asarray(image))


def test_every_way_to_hand_over_a_picture_reads_alike(tmp_path):
    image, content = picture(), encoded(picture())
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    ways = [path, str(path), content, bytearray(content), image, np.asarray(image)]
    ways += [{"bytes": content, "path": "elsewhere.png"}, {"bytes": None, "path": str(path)}]
    for raw in ways:
        np.testing.assert_array_equal(reader().read(raw)["image"], np.asarray(image))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_every_format_of_the_modality_is_read(kind):
    content = encoded(picture(), kind)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    np.testing.assert_array_equal(reader().read(content)["image"], expected)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV", "LAB"])
def test_opaque_modes_are_converted_as_pillow_does(mode):
    image = picture(mode=mode)
    np.testing.assert_array_equal(reader().read(image)["image"], np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "RGBa"])
def test_transparent_modes_lie_on_white(mode):
    clear = Image.new("RGBA", (32, 32), (255, 0, 0, 0))
    assert (reader().read(clear.convert(mode))["image"] == 255).all()


def test_half_transparent_black_is_grey():
    image = Image.new("RGBA", (32, 32), (0, 0, 0, 128))
    assert (reader().read(encoded(image))["image"] == 127).all()


def test_the_transparent_colour_of_a_palette_lies_on_white():
    image = Image.new("P", (32, 32), 7)
    image.putpalette([10, 20, 30] * 256)
    assert (reader().read(encoded(image, transparency=7))["image"] == 255).all()
    assert (reader().read(encoded(image, "GIF", transparency=7))["image"] == 255).all()


def test_the_transparent_colour_of_an_rgb_picture_lies_on_white():
    image = Image.new("RGB", (32, 32), (1, 2, 3))
    assert (reader().read(encoded(image, transparency=(1, 2, 3)))["image"] == 255).all()


@pytest.mark.parametrize("kind", ["TIFF", "PNG"])
def test_sixteen_bits_are_scaled_not_clipped(kind):
    values = np.array([[0, 257], [257 * 100, 65535]], dtype=np.uint16)
    read = reader(size=[2, 2]).read(encoded(Image.fromarray(values), kind))["image"]
    assert read[:, :, 0].tolist() == [[0, 1], [100, 255]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    upright = smooth(40, 32)
    inverse = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = upright
    for step in inverse.get(orientation, []):
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    read = reader(size=[32, 40]).read(encoded(stored, exif=exif))["image"]
    np.testing.assert_array_equal(read, np.asarray(upright))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_an_animation_gives_its_first_frame(kind):
    red, blue = Image.new("RGB", (32, 32), "red"), Image.new("RGB", (32, 32), "blue")
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(red, kind, save_all=True, append_images=[blue], **options)
    assert reader().read(content)["image"][0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
def test_arrays_of_any_channels(channels):
    values = np.full((32, 32) if channels is None else (32, 32, channels), 255, np.uint8)
    assert (reader().read(values)["image"] == 255).all()


def reason(raw, **changes):
    with pytest.raises(RowError) as caught:
        reader(**changes).read(raw)
    return str(caught.value)


def test_refused_arrays_say_why():
    assert "float32" in reason(np.zeros((4, 4), np.float32))
    assert "uint8" in reason(np.zeros((4, 4), bool))
    assert "(4, 4, 5)" in reason(np.zeros((4, 4, 5), np.uint8))
    assert "(4,)" in reason(np.zeros(4, np.uint8))
    assert "no pixels" in reason(np.zeros((0, 4, 3), np.uint8))
    assert "no pixels" in reason(Image.new("RGB", (0, 0)))
    assert "floats" in reason(Image.fromarray(np.zeros((4, 4), np.float32)))
    assert "32 bits" in reason(Image.fromarray(np.full((4, 4), 200, np.int32)))


def test_refused_values_say_why(tmp_path):
    assert "NoneType" in reason(None)
    assert "NoneType" in reason({"bytes": None, "path": None})
    assert "float" in reason(3.5)
    assert "empty" in reason(b"")
    assert "not an image" in reason(b"no picture at all")
    assert "not an image" in reason(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    assert "cannot be read" in reason(tmp_path)
    assert "not the path" in reason("a\0b")


def test_no_reason_names_a_path(tmp_path):
    missing, garbage = tmp_path / "missing.png", tmp_path / "garbage.png"
    garbage.write_bytes(b"garbage")
    for path in (missing, garbage):
        assert str(tmp_path) not in reason(path)
        assert path.name not in reason(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_truncated_files_are_bad_rows(kind):
    content = encoded(smooth(64, 64), kind)
    for share in (0.1, 0.5, 0.9):
        assert reason(content[: int(len(content) * share)])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
def test_damaged_files_read_or_are_bad_rows_but_never_raise_anything_else(kind):
    content, rng = np.frombuffer(encoded(picture(24, 24), kind), np.uint8), np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = content.copy()
        places = rng.integers(0, min(len(content), 400), 6)
        damaged[places] = rng.integers(0, 256, 6)
        try:
            assert reader().read(damaged.tobytes())["image"].shape == (32, 32, 3)
        except RowError:
            refused += 1
    assert refused > 0 or kind in ("BMP", "WEBP", "TIFF")


def test_a_bomb_is_refused_by_its_header():
    content = bytearray(encoded(Image.new("L", (1000, 1001))))
    assert "1000 x 1001" in reason(bytes(content))
    assert "limit of 1000000" in reason(np.zeros((1001, 1000), np.uint8))
    giant = struct.pack(">II", 40_000, 40_000) + bytes(content[24:29])
    content[16:33] = giant + struct.pack(">I", zlib.crc32(b"IHDR" + giant))
    assert "more pixels than the limit" in reason(bytes(content))
    assert "make the picture smaller" in reason(bytes(content))


def test_a_picture_beyond_the_limit_is_told_what_would_help():
    told = reason(np.zeros((1001, 1000), np.uint8))
    assert told.endswith("make the picture smaller, or train with reader.max_pixels: 1001000")
    assert "reader.max_pixels: " not in too_large(20_000, 10_000, 10**6), "none allows so many"


def test_a_strip_is_refused_before_it_is_enlarged():
    assert "too narrow" in reason(np.zeros((1, 50_000), np.uint8))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize(
    "shape", [(500, 333), (333, 500), (256, 256), (224, 224), (97, 640), (61, 40)]
)
@pytest.mark.parametrize(("size", "crop"), [((224, 224), 0.875), ((96, 96), 0.95), ((64, 64), 1.0)])
def test_resizing_equals_timm(interpolation, shape, size, crop):
    from timm.data import create_transform

    image = smooth(*shape)
    theirs = create_transform(size, interpolation=interpolation, crop_pct=crop, normalize=False)(
        image
    )
    ours = reader(size=list(size), crop=crop, interpolation=interpolation).read(image)["image"]
    np.testing.assert_array_equal(ours, theirs.permute(1, 2, 0).numpy())


@pytest.mark.parametrize(
    ("fit", "size"), [("center", (96, 64)), ("squash", (64, 64)), ("squash", (96, 64))]
)
def test_other_fits_equal_timm(fit, size):
    from timm.data import create_transform

    for shape in [(500, 333), (333, 500), (61, 40)]:
        image = smooth(*shape)
        theirs = create_transform(
            size, interpolation="bicubic", crop_pct=0.9, crop_mode=fit, normalize=False
        )(image)
        ours = reader(size=list(size), crop=0.9, fit=fit).read(image)["image"]
        np.testing.assert_array_equal(ours, theirs.permute(1, 2, 0).numpy())


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (33, 57)])
@pytest.mark.parametrize("crop", [1.0, 0.9])
def test_padding_equals_timms_border(size, crop):
    """All of the picture between bars of the mean colour, wherever it lies to the pixel."""
    from timm.data import create_transform

    mean = (0.485, 0.456, 0.406)
    fill = [round(255 * share) for share in mean]
    for shape in [(500, 333), (333, 500), (61, 40), (40, 61), (9, 300)]:
        image = smooth(*shape)
        theirs = create_transform(
            size,
            **{"interpolation": "bicubic", "crop_pct": crop, "crop_mode": "border", "mean": mean},
            normalize=False,
        )(image)
        found = reader(size=list(size), crop=crop, fit="pad", fill=fill).read(image)["image"]
        np.testing.assert_array_equal(found, theirs.permute(1, 2, 0).numpy())


def test_a_strip_that_is_padded_keeps_a_pixel():
    found = reader(fit="pad", fill=[1, 2, 3]).read(np.full((1, 50_000), 9, np.uint8))["image"]
    assert (found == 9).all(2).sum() == 32
    assert (found == [1, 2, 3]).all(2).sum() == 31 * 32


def test_a_spec_survives_json():
    first = reader(size=[48, 40], crop=0.9, interpolation="lanczos", fit="squash")
    again = image_reader(json.loads(json.dumps(first.spec())))
    assert again == first
    assert dict(first.fills) == {}
    assert first.length(first.read(picture())) == 1


def test_threads_share_one_reader():
    contents = [encoded(picture(60, 40, seed=seed), "JPEG") for seed in range(8)] * 8
    shared = reader()
    alone = [shared.read(content)["image"] for content in contents]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda content: shared.read(content)["image"], contents))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_reading_needs_no_torch():
    code = (
        "import sys; import multigraft_vision; from multigraft_vision.reader import image_reader; "
        f"import numpy as np; image_reader({SPEC!r}).read(np.zeros((8, 8), np.uint8)); heavy = "
        "{'torch', 'torchvision', 'timm', 'transformers'} & set(sys.modules); "
        "sys.exit(','.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""Pictures are drawn anew: what they show stays, all else goes, and what means harm is refused."""

import zlib
from io import BytesIO

import pytest
from PIL import Image

from crm import media_images
from crm.media_checking import checked
from crm.media_content import MediaRefused
from crm.media_images import drawn, for_models
from crm.tests.media_samples import HTML, SVG, exif, picture, png_of
from personas import moving_pictures, pictures


def opened(content):
    return Image.open(BytesIO(content.data))


@pytest.mark.parametrize(
    ("kind", "mime", "extension"),
    [
        ("JPEG", "image/jpeg", ".jpg"),
        ("PNG", "image/png", ".png"),
        ("GIF", "image/gif", ".gif"),
        ("WEBP", "image/webp", ".webp"),
    ],
)
def test_each_format_stays_what_it_is(kind, mime, extension):
    content = drawn(picture(kind))
    assert (content.mime, content.extension) == (mime, extension)
    assert (content.width_pixels, content.height_pixels) == (40, 30)
    assert opened(content).format == kind


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("JPEG", "CMYK"),
        ("JPEG", "L"),
        ("PNG", "I;16"),
        ("PNG", "P"),
        ("PNG", "1"),
        ("PNG", "LA"),
        ("WEBP", "RGBA"),
    ],
)
def test_each_mode_can_be_drawn(kind, mode):
    assert drawn(picture(kind, mode=mode, colour=0)).width_pixels == 40


def test_what_was_see_through_still_is():
    content = drawn(picture("PNG", mode="RGBA", colour=(255, 0, 0, 0)))
    assert opened(content).convert("RGBA").getpixel((0, 0))[3] == 0


def test_where_and_with_what_it_was_taken_goes():
    content = drawn(picture("JPEG", exif=exif(), comment=b"SECRET-COMMENT"))
    assert b"SECRET" not in content.data
    assert dict(opened(content).getexif()) == {}


@pytest.mark.parametrize(("kind", "options"), [("WEBP", {"exif": exif()}), ("PNG", {"exif": exif()})])
def test_it_goes_from_other_formats_too(kind, options):
    assert b"SECRET" not in drawn(picture(kind, **options)).data


def test_the_words_in_a_png_and_the_profile_go():
    from PIL.PngImagePlugin import PngInfo

    words = PngInfo()
    words.add_text("chara", "SECRET-CARD")
    words.add_itxt("more", "SECRET-TEXT", zip=True)
    content = drawn(picture("PNG", pnginfo=words, icc_profile=b"SECRET-PROFILE" * 20))
    assert b"SECRET" not in content.data
    assert opened(content).info == {}


def test_a_picture_that_was_held_sideways_stands_upright():
    content = drawn(picture("JPEG", size=(40, 20), exif=exif(orientation=6)))
    assert (content.width_pixels, content.height_pixels) == (20, 40)


def moving(kind="GIF", frames=("red", "blue", "green"), size=(20, 20), **options):
    drawn_frames = [Image.new("RGB", size, colour) for colour in frames]
    out = BytesIO()
    more = {"save_all": True, "append_images": drawn_frames[1:], **options}
    drawn_frames[0].save(out, kind, **more)
    return out.getvalue()


def played(content):
    """Each frame's colour, and how long it is shown."""
    image = opened(content)
    found = []
    for number in range(image.n_frames):
        image.seek(number)
        colour = image.convert("RGB").getpixel((0, 0))
        found.append(("red", "green", "blue")[colour.index(max(colour))])
    return found


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_what_moves_goes_on_moving_and_all_else_of_it_goes(kind):
    data = moving(kind, duration=[100, 200, 300], loop=2, comment=b"SECRET", exif=exif(), xmp=b"SECRET")
    content = drawn(data + b"SECRET")
    assert played(content) == ["red", "blue", "green"]
    assert opened(content).info["loop"] == 2
    assert b"SECRET" not in content.data
    assert (content.width_pixels, content.height_pixels) == (20, 20)


def test_what_moves_is_made_smaller_too(settings):
    settings.MEDIA_IMAGE_MAX_SIDE = 10
    content = drawn(moving(size=(40, 20)))
    assert (content.width_pixels, content.height_pixels, len(played(content))) == (10, 5, 3)


def test_more_frames_or_pixels_than_are_taken_are_refused(monkeypatch):
    colours = ["red", "blue"] * 3
    monkeypatch.setattr(moving_pictures, "MOST_FRAMES", 6)
    assert len(played(drawn(moving(frames=colours)))) == 6
    for most in ("MOST_FRAMES", "MOST_PIXELS"):
        with monkeypatch.context() as patch:
            patch.setattr(moving_pictures, most, 5)
            with pytest.raises(MediaRefused, match="moving picture") as caught:
                drawn(moving(frames=colours))
            assert caught.value.reason == "too_large"


def drawn_or_refused(data):
    try:
        return drawn(data).width_pixels
    except MediaRefused as refusal:
        return refusal.reason


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_what_breaks_off_while_it_moves_is_refused_or_drawn(kind):
    data = moving(kind, frames=["red", "blue", "green", "red"])
    for cut in range(20, len(data), 7):
        assert drawn_or_refused(data[:cut]) in (20, "format")


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_a_model_gets_the_first_frame_alone(kind):
    content = drawn(moving(kind))
    shown = for_models(content.data, content.mime)
    with Image.open(BytesIO(shown.data)) as image:
        assert getattr(image, "n_frames", 1) == 1
        assert image.convert("RGB").getpixel((0, 0))[0] > 200


def test_the_picture_of_a_persona_stands_still():
    assert getattr(opened(pictures.drawn(moving(), most_side=64)), "n_frames", 1) == 1


def test_a_large_picture_is_made_smaller(settings):
    settings.MEDIA_IMAGE_MAX_SIDE = 256
    content = drawn(picture("PNG", size=(1000, 500)))
    assert (content.width_pixels, content.height_pixels) == (256, 128)


def test_a_large_jpeg_is_not_decoded_at_its_full_size(settings):
    settings.MEDIA_IMAGE_MAX_SIDE = 256
    settings.MEDIA_IMAGE_MAX_PIXELS = 1_000_000
    content = drawn(picture("JPEG", size=(3000, 2000)))
    assert max(content.width_pixels, content.height_pixels) == 256


POLYGLOTS = {
    "a page behind a JPEG": picture("JPEG") + HTML,
    "a page in a JPEG's comment": picture("JPEG", comment=HTML),
    "an archive behind a PNG": picture("PNG") + b"PK\x03\x04" + b"SECRET" * 100,
    "a script that begins as a GIF": picture("GIF") + b"/*" + HTML,
    "a second picture behind the first": picture("JPEG") + picture("JPEG", comment=b"<script>"),
}


@pytest.mark.parametrize("name", POLYGLOTS)
def test_a_second_file_inside_the_first_is_gone(name):
    content = drawn(POLYGLOTS[name])
    assert b"<script" not in content.data
    assert b"SECRET" not in content.data


BOMBS = {
    "a header that promises 50,000 × 50,000": png_of(50_000, 50_000),
    "more pixels than Pillow itself takes": png_of(20_000, 20_000),
    "a few more than we take": png_of(6_000, 6_000),
    "gigabytes in a small chunk": png_of(30_000, 30_000, zlib.compress(bytes(20_000_000), 9)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_is_decoded(name):
    with pytest.raises(MediaRefused) as caught:
        drawn(BOMBS[name])
    assert caught.value.reason == "too_large"


NO_PICTURES = {
    "an SVG": SVG,
    "a page": HTML,
    "text": b"hello",
    "two bytes": b"ab",
    "zeros": bytes(2000),
    "a TIFF": picture("TIFF"),
    "a BMP": picture("BMP"),
    "an ICO": picture("ICO"),
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "the head of a JPEG alone": picture("JPEG")[:20],
    "half a PNG": picture("PNG", size=(400, 400), colour="red")[:60],
    "a PNG whose data is no zlib": png_of(10, 10, b"nonsense" * 10),
    "a PNG without pixels": png_of(0, 0),
}


@pytest.mark.parametrize("name", NO_PICTURES)
def test_what_is_no_picture_is_refused_whatever_it_is_called(name):
    with pytest.raises(MediaRefused) as caught:
        checked(NO_PICTURES[name], "image", filename="holiday.jpg")
    assert caught.value.reason == "format"
    assert "format" in caught.value.message
    assert "allowed" in caught.value.message


@pytest.mark.parametrize("filename", ["a.svg", "a.html", "a.exe", "a.jpg.php", "a.mp3", "..\\..\\a.SVG"])
def test_a_name_of_another_format_is_refused_too(filename):
    with pytest.raises(MediaRefused) as caught:
        checked(picture(), "image", filename=filename)
    assert caught.value.reason == "format"


def test_a_name_without_an_ending_says_nothing(settings):
    assert checked(picture("PNG"), "image", filename="blob").mime == "image/png"


def test_a_model_gets_no_more_than_it_looks_at(monkeypatch):
    monkeypatch.setattr(media_images, "SMALL_ENOUGH_BYTES", 1000)
    shown = for_models(picture("JPEG", size=(4000, 2000)), "image/jpeg")
    assert max(Image.open(BytesIO(shown.data)).size) == media_images.MODEL_SIDE


def test_a_small_picture_goes_to_the_model_as_it_is():
    data = picture("PNG")
    assert for_models(data, "image/png").data == data


def test_a_photograph_as_a_png_goes_to_the_model_as_a_jpeg(monkeypatch):
    monkeypatch.setattr(media_images, "SMALL_ENOUGH_BYTES", 1000)
    noise = Image.effect_noise((400, 300), 80).convert("RGBA")
    noise.putalpha(0)
    out = BytesIO()
    noise.save(out, "PNG")
    shown = for_models(out.getvalue(), "image/png")
    assert shown.mime == "image/jpeg"
    assert Image.open(BytesIO(shown.data)).getpixel((0, 0)) == (255, 255, 255)

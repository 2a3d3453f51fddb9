"""Files of every kind for tests, made by hand so that each holds exactly what its test is about."""

import io
import zipfile
import zlib

from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen import canvas

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def pdf(*pages, password=None, strength=40):
    buffer = io.BytesIO()
    encrypt = StandardEncryption(password, canPrint=0, strength=strength) if password else None
    sheet = canvas.Canvas(buffer, encrypt=encrypt, invariant=1)
    for page in pages:
        for number, line in enumerate(page.splitlines()):
            sheet.drawString(72, 760 - 16 * number, line)
        sheet.showPage()
    sheet.save()
    return buffer.getvalue()


def pdf_of_objects(*objects):
    """A PDF from raw objects, numbered from 1; the first is the catalog."""
    body = b"%PDF-1.7\n"
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    table += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return (
        body
        + table
        + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(body))
    )


def many_pages_pdf(count):
    kids = b" ".join(b"3 0 R" for _ in range(count))
    return pdf_of_objects(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%s] >>" % (count, kids),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 10 10] >>",
    )


def nested_flate_pdf(size=2_000_000_000):
    """A page whose content is compressed twice and unpacks to gigabytes of text operators."""
    stream = zlib.compress(repeated_and_compressed(b"BT (a) Tj ET " * 80_000, size), 9)
    return pdf_of_objects(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 10 10] /Contents 4 0 R >>",
        b"<< /Filter [/FlateDecode /FlateDecode] /Length %d >>\nstream\n%s\nendstream"
        % (len(stream), stream),
    )


def repeated_and_compressed(text, size):
    """What zlib makes of so many bytes, without packing the same again and again (RFC 1950, RFC 1951)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(text) + packer.flush(zlib.Z_FULL_FLUSH)  # refers to nothing before it
    times, checksum = size // len(text), 1
    for _ in range(times):
        checksum = zlib.adler32(text, checksum)
    return b"\x78\xda" + block * times + packer.flush() + checksum.to_bytes(4, "big")


def cyclic_pdf():
    return pdf_of_objects(
        b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Count 1 /Kids [2 0 R] /Parent 2 0 R >>"
    )


def docx(*paragraphs, heading=None, table=()):
    body = (
        f'<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>{heading}</w:t></w:r></w:p>'
        if heading
        else ""
    )
    body += "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    for row in table:
        cells = "".join(f"<w:tc><w:p><w:r><w:t>{cell}</w:t></w:r></w:p></w:tc>" for cell in row)
        body += f"<w:tbl><w:tr>{cells}</w:tr></w:tbl>"
    return docx_of_xml(f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>')


def docx_of_xml(xml):
    return archive({"[Content_Types].xml": "<Types/>", "word/document.xml": xml})


def archive(parts):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return buffer.getvalue()


def xlsx(rows, sheet="People"):
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


SHEET_HEAD = '<row r="1"><c r="A1" t="inlineStr"><is><t>Name</t></is></c></row>'


def sheet_xml(rows, before=""):
    return f'<worksheet xmlns="{SHEET}">{before}<sheetData>{rows}</sheetData></worksheet>'.encode()


def xlsx_with(part, *, doctype="", text="Ada", rows=None, before=""):
    """A real workbook in which one part is written anew: with declarations, a text, or rows of its own."""
    original = zipfile.ZipFile(io.BytesIO(xlsx([["Name"], ["Ada"]])))
    parts = {name: original.read(name) for name in original.namelist()}
    cell = f'<c r="A2" t="inlineStr"><is><t>{text}</t></is></c>'
    if part == "xl/sharedStrings.xml":
        parts[part] = f'<sst xmlns="{SHEET}"><si><t>{text}</t></si></sst>'.encode()
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
        known = f'<Override PartName="/{part}" ContentType="{kind}"/></Types>'.encode()
        parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(b"</Types>", known)
        parts["xl/worksheets/sheet1.xml"] = sheet_xml(
            SHEET_HEAD + '<row r="2"><c r="A2" t="s"><v>0</v></c></row>'
        )
    elif part == "xl/worksheets/sheet1.xml":
        parts[part] = sheet_xml(rows or f'{SHEET_HEAD}<row r="2">{cell}</row>', before)
    else:
        parts[part] = parts[part].replace(b'name="People"', f'name="{text}"'.encode())
    body = parts[part].decode()
    head, _, rest = body.partition("?>") if body.startswith("<?xml") else ('<?xml version="1.0"', "", body)
    parts[part] = f"{head}?>{doctype}{rest}"
    return archive(parts)


def locked_archive():
    """Its first part says that it is encrypted."""
    content = bytearray(archive({"word/document.xml": "<x/>"}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 0x1
    return bytes(content)


def self_referring_pdf():
    content = pdf_of_objects(b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Count 0 /Kids [] >>")
    at = content.index(b"xref")
    return content.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % at)

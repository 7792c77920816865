"""A picture, element by element, as the text of an SVG file."""

from xml.sax.saxutils import escape, quoteattr

# The widest of the fonts that stand behind `sans-serif` (DejaVu Sans), per em: bold digits and letters on average.
_EM_PER_LETTER = 0.64


def text_width(text, size):
    """About as wide as the text can become, whatever the font."""
    return len(text) * size * _EM_PER_LETTER


class Picture:
    def __init__(self, title, description, style):
        self._head = [f"<title>{escape(title)}</title>", f"<desc>{escape(description)}</desc>",
                      f"<style>{style}</style>"]
        self._elements = []

    def rect(self, x, y, width, height, css_class, radius=0):
        self._elements.append(f'<rect class="{css_class}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
                              f'height="{height:.1f}" rx="{radius}"/>')

    def line(self, x1, y1, x2, y2, css_class):
        self._elements.append(f'<line class="{css_class}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def text(self, x, y, words, css_class, size):
        """The baseline begins at x, y."""
        self._elements.append(f'<text class={quoteattr(css_class)} x="{x:.1f}" y="{y:.1f}" font-size="{size}">'
                              f"{escape(words)}</text>")

    def finish(self, width, height):
        return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
                          f'width="{width:.0f}" height="{height:.0f}" role="img">', *self._head,
                          f'<rect class="page" width="{width:.0f}" height="{height:.0f}" rx="8"/>',
                          *self._elements, "</svg>"]) + "\n"

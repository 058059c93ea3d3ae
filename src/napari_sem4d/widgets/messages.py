"""A place in a dock where sentences to the user appear."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

STYLES = {
    "error": "background: #7a2e2e; color: white;",
    "warning": "background: #6b5a1e; color: white;",
    "ask": "background: #6b5a1e; color: white;",
    "info": "",
}


class Message(QLabel):
    """Sentences in words; hidden while there are none. The text can be selected and copied."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.kind = "info"
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.setContentsMargins(6, 4, 6, 4)
        self.hide()

    def say(self, text: str, kind: str = "info") -> None:
        """Show a sentence ("error", "warning", "ask" or "info"); nothing hides the place."""
        self.kind = kind
        self.setStyleSheet(f"QLabel {{ border-radius: 3px; {STYLES[kind]} }}")
        self.setText(text)
        self.setVisible(bool(text))

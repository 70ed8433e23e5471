"""Records of the filters that clean: mending, markup, boilerplate, language, length."""

from __future__ import annotations

from multigraft import Filter, Lazy, Option

WEB = (
    "<p>The river rises in the hills &amp; runs to the sea.</p><script>track()</script>\n"
    "<p>It is navigable for most of its length.</p>"
)
FRENCH = "Le fleuve prend sa source dans les collines et se jette dans la mer après un long voyage."
ENGLISH = "The river rises in the hills and runs to the sea after a long journey through the plain."

CLEANING = (
    Filter(
        name="unicode",
        modality="text",
        help="Mend text that was decoded wrongly (mojibake), HTML entities, control characters, "
        "ligatures and line ends, and write accents in one form.",
        source="ftfy (Speer 2019); Unicode Annex 15",
        judge=Lazy("multigraft_text.filters.unicode_mending:mended"),
        options={
            "form": Option(
                default="NFC",
                choices=("NFC", "NFKC", "NFD", "NFKD"),
                help="the form of Unicode; NFKC and NFKD write full-width signs as ASCII too",
            ),
            "straight_quotes": Option(default=False, help="write curly quotes as straight ones"),
        },
        keeps=lambda: ENGLISH,
        drops=lambda: "The cafÃ© was closed; schÃ¶ne GrÃ¼ÃŸe.",
    ),
    Filter(
        name="markup",
        modality="text",
        help="Take out tags of HTML, scripts and styles whole, and write entities as their signs; "
        "of a script that is never closed the tag alone goes.",
        source="own",
        judge=Lazy("multigraft_text.filters.boilerplate:without_markup"),
        keeps=lambda: "If a < b and b > c, nothing follows.",
        drops=lambda: WEB,
    ),
    Filter(
        name="boilerplate",
        modality="text",
        help="Take out short lines with a phrase of menus, footers and consent.",
        source="own list of phrases; the idea of short lines from jusText (Pomikálek 2011)",
        judge=Lazy("multigraft_text.filters.boilerplate:without_boilerplate"),
        options={"words": Option(default=12, low=1, help="a longer line stays, whatever it says")},
        keeps=lambda: ENGLISH,
        drops=lambda: (
            f"Skip to content | Sign in\n{ENGLISH}\n© Copyright 2019. All rights reserved."
        ),
    ),
    Filter(
        name="spaces",
        modality="text",
        help="Write one space where there are several, and at most one blank line.",
        source="own",
        judge=Lazy("multigraft_text.filters.unicode_mending:spaced"),
        keeps=lambda: ENGLISH,
        drops=lambda: "The  river \n\n\n\nrises.",
    ),
    Filter(
        name="language",
        modality="text",
        help="Drop texts in other languages, by their first 3,000 characters.",
        source="py3langid, 0.4 (after Lui and Baldwin 2012); codes of ISO 639-1",
        judge=Lazy("multigraft_text.filters.language:in_languages"),
        options={
            "keep": Option(
                default="en", types=(str, list), help="the languages that are kept, as [en, pt]"
            ),
            "least": Option(
                default=0.5,
                low=0,
                high=1,
                help="the probability from which the likeliest language counts",
            ),
            "shortest": Option(
                default=50, low=0, help="characters from which a language is told at all"
            ),
            "keep_short": Option(default=True, help="keep shorter texts, of whatever language"),
        },
        keeps=lambda: ENGLISH,
        drops=lambda: FRENCH,
    ),
    Filter(
        name="length",
        modality="text",
        help="Drop texts that are too short or too long.",
        source="own",
        judge=Lazy("multigraft_text.filters.length:of_length"),
        options={
            "low": Option(default=1, low=0, help="the least that is kept"),
            "high": Option(default=None, types=(int,), low=1, help="the most; unset: any"),
            "unit": Option(
                default="characters", choices=("characters", "words"), help="what is counted"
            ),
        },
        keeps=lambda: ENGLISH,
        drops=lambda: "Too short.",
        trial={"low": 20},
    ),
)

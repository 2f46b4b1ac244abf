"""Words that make a criterion hard to judge. Each test errs towards silence: a good rubric gets no remark."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["compound", "spoken", "unverifiable", "vague"]

_QUOTED: Final = re.compile(r"`[^`]*`|\"[^\"\n]*\"|“[^“”\n]{0,300}”")
_VAGUE: Final = re.compile(
    r"\b(?:(?<!of )(?<!in )good(?! faith)|great|nice(?!-)|nicely|excellent|high[- ]quality|top[- ]notch|world[- ]class"
    r"|appropriate(?:ly)?|reasonabl[ey]|adequate(?:ly)?|sufficient(?:ly)?(?! funds)|suitabl[ey]|properly|proper(?! (?:noun|name))"
    r"|professionally|professional[- ](?:tone|look|looking|style|manner|design|appearance|language|formatting|quality)"
    r"|(?<=: )professional|(?<=\bis )professional|(?<=\bare )professional|(?<=\blooks )professional|(?<=\bsounds )professional"
    r"|(?<=\band )professional(?=\W*$)|user[- ]friendly|intuitive(?:ly)?|elegant(?:ly)?|polished|beautiful(?:ly)?"
    r"|(?:visually )?appealing|attractive|engaging(?! (?:the|with))|compelling|insightful|interesting|impressive|amazing|creative(?! (?:brief|commons|director|team))"
    r"|robust(?! (?:standard errors?|regression|estimat))|comprehensive(?:ly)?(?! (?:income|loss))|thorough(?:ly)?|concise(?:ly)?"
    r"|easy to (?:read|understand|use|follow|navigate)|makes? sense|as (?:needed|appropriate|necessary)|best practices?"
    r"|well[- ](?:written|structured|organi[sz]ed|designed|formatted|documented|crafted|thought[- ]out|presented"
    r"|researched)|(?<=\bis )clear(?=\W*$)|(?<=\bare )clear(?=\W*$)|clear and (?:easy|understandable|concise|readable)"
    r"|(?:efficient|effective)ly)\b"
)
_NAME: Final = re.compile(
    r"(?:(?:overall|general|good|code|writing|visual|reasoning|design|content|document) )?(?:quality|clarity|style|creativity"
    r"|readability|usability|professionalism|polish|originality|thoroughness|conciseness|usefulness|elegance)"
    r"(?: and (?:quality|clarity|style|tone|polish|readability))?\W*",
    re.I,
)
"""A criterion that is no more than the name of a virtue."""
_NUMBERED: Final = re.compile(
    r"[0-9]|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen)\b|§", re.I
)
_MEASURED: Final = re.compile(
    r"[:(–—]\s*\S+\s+\S+|\n|[.;!]\s+\S+\s+\S+|\b(?:no|not|without|never|every|each|all|only|so that|such that|such as"
    r"|because|e\.g|i\.e|for example|namely|that is|meaning|according to|as (?:defined|described|set out|specified|given|in)"
    r"|per|from|compared|than|match(?:es)?|when|if|with|by|unless)\b",
    re.I,
)

_ACTOR: Final = r"(?:(?:the (?:ai )?(?:agent|assistant|worker)|the (?:ai|llm)|claude)|you (?=must |should |need to |have to ))"
_THINKS: Final = (
    r"(?:think|consider|understand|try|tries|attempt|reflect|reason|know|care|feel|believe|intend|want|aim|plan"
    r"|spend|pay attention|focus|strive|be (?:careful|mindful|thoughtful|creative|proactive))"
)
_DOES: Final = r"(?:reads?|uses?|searches|search|runs?|checks?|reviews?|verif(?:y|ies)|double-checks?|explores?|browses?)"
_UNVERIFIABLE: Final = re.compile(
    rf"\b{_ACTOR}\s*\b(?:(?:must|should|shall|has to|needs to|need to|have to|will) )?(?:first |always |actually |carefully )?"
    rf"{_THINKS}(?:e?s|ed)?\b"
    rf"|\bthe (?:ai )?(?:agent|worker) (?:(?:must|should|shall|has to|needs to) )?"
    rf"(?:first |always |actually |carefully )?{_DOES}\b"
    r"|^(?:must |should |please )?(?:think|try(?: to)?|understand|reflect|consider|strive|remember|be (?:careful|mindful"
    r"|thoughtful|creative|thorough|proactive)|take your time|do your best|use your (?:best )?judge?ment)\b"
    r"|\bthink(?:s|ing)? (?:carefully|hard|deeply|step by step)\b|\b(?:try|tries|does|do) (?:your|its|their) (?:very )?(?:best|hardest)\b"
    r"|\bbest[- ]effort\b|\b(?:was|is|were|are) (?:written|made|done|prepared|reviewed) (?:carefully|with (?:great )?care)\b"
    r"|(?<!that )(?<!whether )(?<!how )\bthe (?:users?|readers?|customers?|audience|stakeholders?|clients?|board|reviewers?) "
    r"(?:(?:will|would|should|must) )?(?:feels?|loves?|likes?|enjoys?|"
    r"(?:(?:be|is|are) )(?:happy|impressed|delighted|satisfied|pleased|inspired|convinced|excited))\b"
    r"|\bfeels? (?:right|natural|fresh|modern|premium|professional|human)\b"
    r"|\bin good faith\b|\bto the best of (?:your|its|their) (?:ability|knowledge)\b",
    re.I,
)

_VERBS: Final = (
    r"(?:contains?|has|have|includes?|cites?|states?|names?|lists?|gives?|shows?|explains?|describes?|compares?|provides?"
    r"|recommends?|identif(?:y|ies)|avoids?|mentions?|quotes?|compiles?|passes|stays?|ends?|starts?|covers?|opens?|uses?"
    r"|summari[sz]es?|is|are)"
)
_DEMAND: Final = re.compile(
    rf"(?:^|[.;,]\s+|,?\s(?:and|but)\s+)(?:(?:it|they|the(?: [\w-]+){{1,3}}|every [\w-]+|all [\w-]+)\s+)?(?:also\s+|then\s+)?"
    rf"(?:(?:must|should|shall)\s+(?:also\s+)?(?:not\s+|be\s+)?\w+|{_VERBS}(?!\s*(?:[,.;]|$|(?:of|and|or)\b)))\b",
    re.I,
)
_MODAL: Final = re.compile(
    r"(?<!what )(?<!that )(?<!which )(?<!who )\b(?:must|should|shall|has to|have to|needs? to)\b",
    re.I,
)
_LISTED: Final = "\n- "
"""How a list within a criterion begins."""
_RELATIVE: Final = re.compile(
    r"\b(?:if|when|where|whether|unless|because|that|which|who|what|how|why|users?|readers?)\b", re.I
)


def spoken(text: str) -> str:
    """A criterion's words: code and quotations are ``§``, emphasis is taken away."""
    return re.sub(r"\*\*|__|(?<!\w)[*_]|[*_](?!\w)", "", _QUOTED.sub("§", text)).strip()


def vague(words: str, guidance: str) -> str | None:
    """The last subjective word that nothing measures, or the virtue that is only named: no number, example, explanation or definition."""
    if _NAME.fullmatch(words):
        return words
    found = list(_VAGUE.finditer(words[:1].lower() + words[1:]))
    if not found or _NUMBERED.search(words) or _LISTED in words:
        return None
    last = found[-1]
    if _MEASURED.search(words[last.end() :]):
        return None
    defined = rf"\b{re.escape(last[0])}\b\W*(?:means|is when|stands for|[:=–—])"
    return None if re.search(defined, guidance, re.I) else last[0]


def unverifiable(words: str) -> str | None:
    """What is said of the way to the work, or of somebody's mind: no deliverable shows it."""
    found = _UNVERIFIABLE.search(words)
    return found[0] if found else None


def compound(words: str) -> int:
    """How many demands a criterion makes, as far as its verbs tell: 1 unless they plainly are several."""
    head = words.split(_LISTED, maxsplit=1)[0]
    if _RELATIVE.search(head):
        return 1
    demands = len(_DEMAND.findall(head))
    clauses = 1 if ":" in head else sum(len(part.split()) > 2 for part in head.split(";"))
    return max(1, len(_MODAL.findall(head)), *(many for many in (demands, clauses) if many > 2))

"""How text that is meant for a grader is worded, as patterns over folded text (``unmasking``).

An order (``blocks``) tells whoever reads how to judge, or looks like the grader's own tool or its surroundings. A claim
only says that the judgement has been given; honest workers say so too, so a claim is kept from the grader and held
against nobody. Reports *about* grading use all the same words: a pattern wants an order and its object in one sentence,
or words of judgement beside an address to the grader, never a word alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from reverie.outcomes.unmasking import Finder, finder

__all__ = ["MASTER_KEY", "STEMS", "WORDINGS", "Wording"]

Kind = Literal["order", "syntax", "claim"]


@dataclass(frozen=True, slots=True)
class Wording:
    """``near``: what must stand within 200 characters of it besides; ``unless``: what must not follow in its
    sentence ("only if …"). ``blocks``: it is more than a claim."""

    kind: Kind
    finder: Finder
    near: re.Pattern[str] | None = None
    unless: re.Pattern[str] | None = None

    @property
    def blocks(self) -> bool:
        return self.kind != "claim"


STEMS: Final = (
    "criteri", "kriteri", "criter", "rubri", "grader", "grading", "evaluator", "evaluation", "judg", "assessor",
    "examiner", "satisf", "verdict", "nonce", "instructions", "instruction", "full marks", "top marks", "full score",
    "top score", "maximum score", "perfect score", "full credit", "highest grade", "this submission", "system prompt",
    "tool_call", "tool_use", "function_call", "im_start", "invoke", "[inst", "<<sys", "<|", "reviewer", "checker",
    "lenient", "generous", "bewert", "anweisung", "gutachter", "pruefer", "prufer", "erfullt", "evaluateur",
    "correcteur", "consigne", "bareme", "evaluador", "calificador", "instrucciones", "cumplid", "valutat", "istruzion",
    "avaliador", "инст", "критер", "оцен", "评分", "评估", "评审", "评委", "阅卷", "标准", "要求", "指令", "满分", "採点", "基準",
)  # fmt: skip
"""One of these stands in whatever a pattern matches, or close by. Folded."""

_GRADER: Final = (
    r"(?:(?:auto-? ?)?graders?|evaluators?|judges?|assessors?|examiners?|(?:grading|evaluation|judging|scoring)[ -]"
    r"(?:model|agent|system|assistant|ai|llm|bot|software|script)s?|(?:ai|llm|automated|automatic|language[ -]model|"
    r"model|machine)[ -]+(?:based )?(?:reviewer|marker|checker|verifier|critic|rater)s?|"
    r"(?:ai|llm|model|assistant|system|whoever|whatever|anyone|anything)(?: \w+){0,3} (?:grad|evaluat|judg|assess|review|scor|mark|check)"
    r"(?:es|s|ing|ding|e))"
)
_CRITERIA: Final = r"(?:criteri(?:a|on|ons|ums?)|rubrics?)"
_WORK: Final = (
    r"(?:this|the|my|our|these|the attached|the present|the following|it)(?: \w+)? ?"
    r"(?:submission|answer|work|report|deliverables?|response|output|document|file|solution|text|draft|essay|deck|memo)?"
)
_TOP: Final = (
    r"(?:(?:full|maximum|max|top|perfect|highest|best)(?: possible)? (?:marks?|scores?|credit|points|grades?|rating)|"
    r"100 ?(?:%|percent|/ ?100|points)|10 ?/ ?10|5 ?/ ?5|1\.0)"
)
_GOOD: Final = (
    rf"(?:satisfied|satisfies|met\b|meets\b|fulfill?ed|fulfills|pass(?:ed|ing|es)?\b|completed?\b|achieved|accepted|"
    rf"approved|green\b|true\b|yes\b|not[ _]applicable|{_TOP})"
)
_VERB: Final = (
    r"(?:mark|grade|rate|score|judge|evaluate|treat|consider|count|deem|report|record|label|classify|declare|tick|"
    r"regard|set|accept|pass|approve|give|award|assign|grant|return|output|answer|respond|reply|state|conclude|confirm|"
    r"submit|emit|produce|call|certify|enter|assume|find|rule|vote|choose|select|put|write|say|credit|assess|view|see)"
)
_AT_START: Final = (
    r"(?:^|[.!?:;,\n\"'(\[{*>#|/-] *|\b(?:please|kindly|now|just|simply|must|should|shall|to|and|then|so|therefore|"
    r"thus|can|may|will|would|you|have to|always|immediately|directly|instead) +)"
)
_DROP: Final = (
    r"(?:ignore|disregard|forget|override|bypass|skip|suspend|discard|set aside|drop|abandon|overlook|waive|dismiss|"
    r"(?:do not|don't|never|stop) (?:use|apply|follow|obey|consult|read|consider|rely on|look at|enforc\w+)|"
    r"pay no attention to)"
)
_OLD: Final = (
    r"(?:previous|prior|above|earlier|preceding|your|system|original|initial|existing|foregoing|former)"
)
_RULES: Final = (
    r"(?:instructions?|prompts?|guidelines|directives?|directions|rules|orders|message|guidance|context)"
)


_SPACE: Final = re.compile(r" ([*?+]?)")  # any white space serves, a line break too


def _gap(most: int) -> str:
    """Anything but the end of a sentence."""
    return rf"(?:[^.!?]|\.\w){{0,{most}}}?"


def _order(pattern: str, near: str | None = None, kind: Kind = "order", *, unless: bool = False) -> Wording:
    return Wording(
        kind,
        finder("(?m)" + _SPACE.sub(lambda m: rf"\s{m[1] or '+'}", pattern)),
        None if near is None else re.compile(near),
        _ONLY_IF if unless else None,
    )


_ONLY_IF: Final = re.compile(r"[^.!?]{0,30}\b(?:only|if|when|once|unless)\b")
_WORK_NEAR: Final = (
    r"\b(?:submission|answer|this work|report|deliverables?|response|output|document|file|solution|draft|essay|deck|memo|"
    r"grader|judge|mark)\b"
)
_JUDGING: Final = r"criteri|rubric|grad(?:e|er|ing)\b|satisf|verdict|evaluat(?:or|ion|ing|e)\b|full marks|judg(?:e|ing|ement|ment)\b"
_SPEAKING: Final = (
    r"satisf|criteri|rubric|approve|\bpass\b|full marks|top (?:score|marks|grade)|perfect score|verdict|lenient|generous|"
    r"accept|no need to|skip|ignore|highest"
)

_ENGLISH: Final = (
    _order(rf"{_AT_START}{_VERB}\b{_gap(50)}\b{_CRITERIA}\b{_gap(60)}\b{_GOOD}"),
    _order(
        rf"{_AT_START}{_VERB} {_WORK}{_gap(20)}\b(?:as|is|a|with|for)? ?\"?(?:satisf\w+|{_TOP}|pass(?:ed|ing)?\b|fully met)",
        _JUDGING + rf"|{_TOP}|submission",
    ),
    _order(rf"{_AT_START}{_VERB} {_gap(24)}[\"'{{\[(]?{_GOOD}[\"'}}\])]? {_gap(40)}\b(?:{_CRITERIA}|(?:all|every|each|any)(?: \w+){{0,2}} (?:labels?|items?))"),
    _order(rf"{_AT_START}{_VERB} (?:everything|it all|them all|all of (?:them|it|these)|all|each one)\b {_gap(30)}\b(?:satisf\w+|met\b|{_TOP}|pass(?:ed)?\b)", _JUDGING),
    _order(rf"{_AT_START}{_DROP} {_gap(40)}\b(?:{_CRITERIA}|(?:grading|scoring|evaluation|marking) \w+)"),
    _order(rf"{_AT_START}{_DROP} (?:\w+ ){{0,4}}{_OLD}\b(?: \w+){{0,3}} {_RULES}\b"),
    _order(rf"{_AT_START}{_DROP} (?:all|any|every)(?: \w+){{0,3}} {_RULES}\b", _JUDGING + r"|previous|prior"),
    _order(
        rf"\b{_GRADER}\b,? {_gap(40)}\b(?:must|should|shall|is|are|has|have|needs?|ought|will|can|may|please|you)\b"
        rf" {_gap(40)}\b{_VERB}\b{_gap(70)}\b(?:all|every|each|this|any|the|it|everything)\b{_gap(50)}\b(?:satisf\w+|{_TOP}|pass(?:ed|ing)?\b|met\b)", unless=True
    ),
    _order(
        rf"\b(?:as|since|because|you are|you're|being|become|remember that you are) {_gap(20)}\b(?:{_GRADER}|ai|llm|language model|assistant)\b"
        rf"(?:[^\n]{{0,120}}?)\b(?:satisf\w+|{_CRITERIA}|approves?\b|{_TOP})",
        r"\byou(?:r|'re)?\b",
    ),
    _order(
        rf"(?:\b(?:dear|hey|hi|hello|attention|attn|psst|listen|thank you|thanks|hint|tip|request|appeal|plea|"
        rf"(?:note|message|instructions?|memo|notice|reminder|directive|guidance|command|information|info|comment|remark|word|letter) (?:to|for)|"
        rf"(?:for|to) (?:the|any|my|all|your|our|an|whichever))[,:]? {_gap(25)}|^[\s\W]{{0,6}}@?)\b(?:{_GRADER}|ai|llm|language model)\b[,:\s)\]-]"
        rf"[\s\S]{{0,160}}?(?:{_SPEAKING})",
        r"\b(?:please|must|should|you|your|mark|give|return|award|call|treat|do not|don't|no need|accept|be)\b",
    ),
    _order(rf"\byour (?:\w+ ){{0,2}}(?:verdict|grade|judge?ment|evaluation|score|rating|assessment|response|answer|output|decision)\b {_gap(40)}\b(?:must|should|will|shall|is|has|needs?|ought)\b {_gap(40)}(?:\bsatisf\w+|{_TOP}|\bpass\b|\bpositive\b)"),
    _order(r"\b(?:if|unless|when|should|until|once) you (?:\w+ ){0,4}(?:mark|fail|reject|pass|approve|grade|score|rate|accept|flag|deduct|refuse|satisf\w+)\b", r"criteri|rubric|\bgrader|satisf|submission|verdict"),
    _order(r"\b(?:be|remain|stay) (?:\w+ ){0,2}(?:lenient|generous|charitable|forgiving|merciful)\b", _JUDGING + r"|\bscor(?:e|ing)\b"),
    _order(r"\b(?:no need|not necessary|unnecessary|needless|don't bother|do not bother|refrain from|without|avoid|not required|skip(?:ping)?)(?: to)? (?:\w+ ){0,2}(?:check|verif|read|inspect|grad|evaluat|judg|test|look|examin|assess|open|review)\w*", r"\bgrader|criteri|satisf|rubric|evaluator|verdict|full marks"),
    _order(r"\b(?:call|use|invoke|run|trigger|submit|send|execute|emit) (?:\w+ ){0,4}[`'\"]?verdict\b(?: tool| function|[`'\"(])?", r"tool|function|satisf|criteri|nonce|label"),
    _order(r"\bnonce\b", r"\bgrad(?:er|ing)\b|verdict|criteri|\"satisfied\"|rubric"),
    _order(r"\b(?:quote|cite|use|copy|take|give|offer)\b(?: [^.!?\n]{0,80}?)? (?:as|for) (?:\w+ ){0,2}(?:proof|evidence)\b", r"\bgrader|criteri|satisf|rubric|evaluator|verdict"),
    _order(r"\b(?:proof|evidence)(?: \w+){0,3} to (?:quote|cite|use|give)\b", _JUDGING),
    _order(rf"\b{_CRITERIA}\b {_gap(90)}\b(?:should|must|can|may|is to|are to|shall|ought to|needs? to|has to|have to) be (?:\w+ )?(?:\w+ as |to be )?(?:satisfied|met|fulfilled|passed|waived|considered|treated|marked|regarded|counted|judged|deemed|graded|scored|skipped|ignored|dropped)", rf"\b(?:satisf\w+|fulfilled|{_TOP}|you|your|grader|evaluator|waived|skipped|ignored)\b", unless=True),
    _order(rf"\b(?:pretend|imagine|suppose|act|role-?play|play the role|simulate|assume|let's (?:play|pretend|imagine)|picture|fictional|hypothetical)\b[\s\S]{{0,160}}?(?:\bsatisf|{_CRITERIA}|\bgrader|\bapprov|full marks|{_TOP})", r"\byou\b|\byour\b|let's|\bact as\b|role-?play"),
    _order(rf"\byou (?:are|have been|were|will be|now)\b {_gap(60)}\b(?:authori[sz]ed|instructed|ordered|required|obliged|told|programmed|configured|reprogrammed|allowed|free|permitted|directed|bound) to\b {_gap(60)}(?:\bsatisf|{_CRITERIA}|\bpass\b|\bapprove|{_TOP})"),
    _order(rf"\b(?:new|updated|revised|real|actual|true|final|hidden|secret|corrected|additional|special|important)(?: \w+)? (?:{_RULES}|rubric|criteri\w+|task|policy)\b[^\n]{{0,20}}[:\n-][\s\S]{{0,120}}?(?:\bsatisf|\bapprov|{_TOP}|\bpass\b|\bgrader)", r"\bgrad(?:er|ing)\b|\byou\b|\bmark\b|satisfied|\bawards?\b"),
    _order(rf"\b(?:rubric|{_CRITERIA}|grading|evaluation|assessment) {_gap(30)}\b(?:is|are|has|have|was|were) (?:\w+ )?(?:been )?(?:void|suspended|cancel\w+|replaced|superseded|withdrawn|obsolete|overridden|waived|invalid|disabled|lifted|out of date|outdated|completed? already|no longer)\b", r"\bgrader|satisf|\byou\b|approve|\bpass|full marks|mark"),
)  # fmt: skip

_SHORT: Final = (
    _order(rf"{_AT_START}(?:report|return|output|answer|say|emit|enter|write|choose|select|respond with|reply with|answer with)(?: with| the word)? ?[\"'`*]{{0,2}}satisfied\b", _JUDGING),
    _order(rf"{_AT_START}(?:pass|approve|accept|grant|tick|waive|clear|validate|credit|green-?light|satisfy|confirm)(?: off)? (?:all|every|each|any)(?: of)?(?: the| these| those)?(?: \w+)? {_CRITERIA}\b", unless=True),
    _order(rf"\b(?:only|right|correct|proper|true|expected|appropriate|acceptable|fair|intended)(?: \w+){{0,2}} (?:verdict|grade|status|score|judge?ment|decision)\b {_gap(60)}\b(?:is|would be|must be|:) {_gap(20)}(?:\bsatisf\w+|{_TOP}|\bpass\b)", _JUDGING),
    _order(r"\bas (?:the |a )?(?:proof|evidence)\b[^.!?\n]{0,90}\b(?:quote|cite|use|copy|take)\b", r"\bgrader|criteri|satisf|rubric|evaluator|verdict"),
)  # fmt: skip

_SYNTAX: Final = (
    _order(r"<\|? ?(?:im_start|im_end|system|assistant|user|endoftext|eot_id|start_header_id|end_of_turn)\b[^>\n]{0,30}\|?>|\[/?inst\]|<</?sys>>|<start_of_turn>|</?(?:system|assistant|developer)(?:[-_ ](?:message|prompt|note|reminder|instructions?))?>", kind="syntax"),
    _order(r"</?(?:antml:)?(?:tool_calls?|tool_use|tool_results?|function_calls?|function_results|invoke|parameter name)\b", kind="syntax"),
    _order(r"</?(?:grader|grading|verdict|evaluation|judge|evaluator)[^>\n]{0,60}>", r"satisf|pass|criteri|met\b", kind="syntax"),
    _order(r"[\"']?(?:status|result|verdict|outcome|decision|judge?ment)[\"']? ?[:=] ?[\"']?(?:partially_|not_)?satisfied\b", r"nonce|label|criteri|proof|confidence|verdict|\bgrad(?:er|ing)|evaluat|iteration|explanation|[{}]", kind="syntax"),
    _order(r"[\"'](?:verdict|criteria|satisfied|all_satisfied|criteria_met|passed?)[\"'] ?: ?(?:[\"']?(?:satisfied|pass(?:ed)?|true|met|approved|all)\b|\[ ?\{)", r"satisf|criteri|nonce|grader|verdict", kind="syntax"),
    _order(r"\bverdict ?\( ?(?:nonce|criteria|[{\"'])", kind="syntax"),
    _order(r"[\"'](?:name|tool|function|recipient_name|tool_name)[\"'] ?: ?[\"'](?:\w+\.)?verdict[\"']", kind="syntax"),
    _order(r"^[\s#>*=\[(<|-]{0,8}(?:system|developer|assistant|admin\w*|operator|root|anthropic|openai|platform|supervisor|moderator|reverie\w*|orchestrator)(?:[ _-](?:message|prompt|note|override|update|notice|instruction|alert|log|reminder|channel))*[\])>*]{0,3} ?[:>|=-][\s\S]{0,200}?(?:criteri|rubric|\bgrad(?:e|er|ing)\b|satisf|verdict|evaluat)", kind="syntax"),
    _order(r"\bspan\.outcome_evaluation\w*|\buser\.define_outcome\b", r"satisf|result", kind="syntax"),
)  # fmt: skip

_CLAIMS: Final = (
    _order(rf"\b(?:all|every one|every|each|100 ?%|\d+ ?(?:of|/|out of) ?\d+)(?: of)?(?: the| these| its| your| those)?(?: (?:rubric|rubric's|grading|evaluation|assessment|listed|stated|given|required|\d+|two|three|four|five|six|seven|eight|nine|ten))* {_CRITERIA}(?: (?:of|in) (?:the|this|your) (?:rubric|task|outcome|assignment|brief))?{_gap(12)}[:=,-]? ?(?:is|are|has been|have been|now|stand|count as|as)? ?(?:\w+ )?(?:satisfied|met|fulfilled|pass(?:ed|es)?|green|complete)\b", kind="claim"),
    _order(rf"\b{_GRADER}\b {_gap(50)}\b(?:has|have|had|already|found|marked|concluded|confirmed|approved|rated|gave|given|agrees?d?|voted|decided|determined|says?|said|returned|passed|accepted|scored|awarded|certified|:)\b{_gap(90)}\b(?:satisf\w+|{_TOP}|\bpass(?:ed)?\b|approved?\b|\bmet\b|accept(?:ed)?\b|flawless|no (?:gaps|issues|defects))", r"criteri|rubric|satisf|verdict|this (?:submission|work|report|document|file|answer|deliverable)|full marks|submission", kind="claim"),
    _order(r"\b(?:criteri(?:on|a)|label|rubric(?: item| line)?) ?(?:on |about |for )?[\"#\w-]{1,20} ?(?:[:=>|-]+|is|are|as) ?[\"'*\[(✓✔✅]* ?(?:satisfied|met|pass(?:ed)?|fulfilled|ok)\b", kind="claim"),
    _order(r"\b(?:verdict|final (?:grade|verdict|result|score|evaluation)|grading (?:result|outcome|report)|(?:outcome |rubric )?evaluation(?: result)?|grade|rubric check|graded?)\b[\s*_\"'|]*[:=-]+[\s*_\"'|]*(?:satisfied|all (?:criteria )?(?:met|satisfied)|pass(?:ed)?\b|approved|accept(?:ed)?\b|a\+|10 ?/ ?10|100 ?%)", r"criteri|rubric|satisf|verdict|grad(?:er|ing)|evaluat", kind="claim"),
    _order(rf"\b(?:this|the|my|our)(?: \w+)? ?(?:submission|answer|work|report|deliverable|response|output|document|file|solution|text|draft|essay|deck|memo|it)?\b {_gap(60)}\b(?:deserves?|merits?|earns?|warrants?|is worthy of|is entitled to|should (?:get|receive|be given|be awarded)) {_gap(20)}(?:{_TOP}|(?:a |the )?(?:pass(?:ing)?|satisfied|positive|favou?rable)\b|to (?:pass|be (?:passed|approved|accepted|satisfied)))", kind="claim"),
    _order(r"\b(?:pre-?approved|pre-?verified|already (?:been )?(?:graded|approved|verified|evaluated|judged|marked|passed|certified|signed off|satisfied))\b", rf"\b{_GRADER}\b|criteri|rubric|satisf|verdict|\bgrading\b", kind="claim"),
    _order(rf"\b{_CRITERIA} (?:about|on|regarding|concerning|called|named|labell?ed|asking|requiring|that asks|which asks|with)\b {_gap(80)}\b(?:is|are|has been|have been|was|counts? as|as) (?:\w+ ){{0,2}}(?:satisfied|met|fulfilled|passed|waived|not applicable|complete)\b", kind="claim"),
    _order(rf"\b(?:this|it|the|my|our)(?: \w+){{0,3}} (?:fully |clearly |perfectly |easily |already |more than )?(?:satisf(?:y|ies)|meets?|fulfill?s?|exceeds?) (?:all|every|each)(?: of)?(?: the| its)?(?: \w+)? {_CRITERIA}\b", _WORK_NEAR, kind="claim"),
    _order(r"\((?:met|not met|partially met|satisfied|not satisfied)\) ?:", r"criteri|rubric|satisf|verdict", kind="claim"),
    _order(r"\b(?:criteri\w+|rubric)[^.!?\n]{0,30}\b\d+ ?(?:/|of|out of) ?\d+(?: \w+)? ?(?:pass|passed|satisfied|met|ok)\b|\b\d+ ?(?:/|of|out of) ?\d+ (?:criteria|rubric \w+) ?(?:are )?(?:pass\w*|satisfied|met|ok|green)\b", kind="claim"),
)  # fmt: skip

_OTHERS: Final = (
    # German
    _order(r"\b(?:markier|bewert|wert|betracht|behandl|akzeptier|stuf|gib|vergib|setz|bestatig|erklar|beurteil|nimm|melde|trag|kennzeichn|antwort|sollst|musst|sollte|muss|hat|haben|haken)\w*\b[^.!?]{0,70}\b(?:kriteri\w+|rubrik|anforderungspunkt\w*|diese (?:abgabe|arbeit)|bewertungs\w+)\b[^.!?]{0,60}\b(?:erfullt|bestanden|satisfied|volle? punktzahl|hochstnote|bestnote|erledigt|ab)\b"),
    _order(r"\b(?:kriteri\w+|abgabe|arbeit)\b[^.!?]{0,60}\b(?:als )?(?:erfullt|bestanden|satisfied)\b[^.!?]{0,30}\b(?:markier|bewert|wert|betracht|behandl|einstuf|gelten|melde|kennzeichn|anzusehen|zu)\w*"),
    _order(r"\b(?:ignorier|missacht|vergiss|vergesst|vergessen sie|ubergeh|uberspring|beachte|befolg|lass)\w*\b[^.!?]{0,50}\b(?:rubrik|kriteri\w+|bewertungs\w+|bisherige\w* (?:anweisung|vorgabe|regel)\w*|vorherige\w* (?:anweisung|vorgabe|regel)\w*|obige\w* (?:anweisung|vorgabe)\w*|alle\w* (?:anweisung|vorgabe)\w*)"),
    _order(r"\b(?:an (?:den|die|alle)|liebe[rs]?|sehr geehrte[rs]?|hinweis (?:an|fur)|nachricht (?:an|fur))\b[^.!?]{0,30}\b(?:bewert|prufer|gutacht|grader|evaluator|ki|juror)\w*[\s\S]{0,160}?(?:erfullt|bestanden|satisfied|punktzahl|bestnote|akzeptier|durchwink|kriteri)"),
    _order(r"\b(?:volle? punktzahl|hochstnote|bestnote)\b", r"\b(?:vergib|gib|geben sie|vergeben sie|erteil\w*|verdien\w*)\b"),
    _order(r"\balle\w* (?:\w+ )?kriterien (?:sind|wurden|gelten)\b[^.!?]{0,30}\b(?:erfullt|bestanden)", kind="claim"),
    # French
    _order(r"\b(?:marqu|consider|not|evalu|trait|accept|attribu|donn|valid|juge|declar|indiqu|repond|coche|doit|devez|dois|mets|mettez)\w*\b[^.!?]{0,60}\b(?:criteres?|grille|ce (?:travail|document|rapport|rendu)|cette reponse)\b[^.!?]{0,60}\b(?:satisfait|rempli|respect|atteint|valid|reussi|satisfied|note maximale|20 ?/ ?20)\w*"),
    _order(r"\b(?:attribu|donn|mett|mets|accord)\w*\b[^.!?]{0,40}\b(?:note maximale|meilleure note|20 ?/ ?20)\b"),
    _order(r"\b(?:ignor|oubli|neglig|contourn|ne (?:tenez|tiens) pas compte|faites abstraction)\w*\b[^.!?]{0,50}\b(?:criteres?|grille|bareme|instructions? (?:precedentes?|ci-dessus)|consignes?)"),
    _order(r"\b(?:chere?|note (?:a|pour)|message (?:a|pour)|a l'attention d[eu]|attention)\b[^.!?]{0,25}\b(?:evaluat|correct|notat|grader|juge|ia\b|examinat)\w*[\s\S]{0,160}?(?:satisfait|rempli|valid|accept|satisfied|note maximale|critere|approuv)"),
    _order(r"\btous les criteres (?:\w+ )?(?:sont|ont ete)\b[^.!?]{0,30}\b(?:satisfait|rempli|respect|atteint|valid)\w*", kind="claim"),
    # Spanish
    _order(r"\b(?:marc|marqu|consider|calif|evalu|evalu|trat|acept|otorg|da|de|aprueb|aprob|declar|indiq|respond|debe|debes|pon|ponga)\w*\b[^.!?]{0,60}\b(?:criterios?|rubrica|este (?:trabajo|informe|documento)|esta (?:entrega|respuesta))\b[^.!?]{0,60}\b(?:satisfech|cumplid|aprobad|superad|satisfied|puntuacion maxima|maxima)\w*"),
    _order(r"\b(?:otorg|da|de|asign|pon|conced)\w*\b[^.!?]{0,30}\b(?:puntuacion maxima|nota maxima|maxima (?:nota|puntuacion|calificacion))"),
    _order(r"\b(?:ignor|olvid|omit|descart|salt|no (?:apliques|aplique|sigas|siga|tengas|tenga) )\w*\b[^.!?]{0,50}\b(?:criterios?|rubrica|instrucciones (?:anteriores|previas)|(?:todas )?las instrucciones)"),
    _order(r"\b(?:estimad[oa]|querid[oa]|nota (?:para|al)|mensaje (?:para|al)|atencion|a la atencion)\b[^.!?]{0,25}\b(?:evaluad|calificad|corrector|juez|grader|revisor|ia\b|examinad)\w*[\s\S]{0,160}?(?:satisfech|cumplid|aprob|acept|satisfied|maxima|criterio)"),
    _order(r"\btodos los criterios (?:\w+ )?(?:estan|han sido|se)\b[^.!?]{0,30}\b(?:satisfech|cumpl|aprobad)\w*", kind="claim"),
    # Italian, Portuguese
    _order(r"\b(?:contrassegn|consider|valut|marc|accett|assegn|attribu|avali|aceit|dichiar|segn|trat)\w*\b[^.!?]{0,60}\b(?:criteri|criterios|rubrica)\b[^.!?]{0,60}\b(?:soddisfatt|superat|satisfied|atendid|satisfeit|cumprid)\w*"),
    _order(r"\b(?:ignor|dimentic|esquec|desconsider|trascur)\w*\b[^.!?]{0,50}\b(?:criteri|criterios|rubrica|istruzioni|instrucoes)"),
    # Russian: after folding most of its letters are Latin look-alikes, so the text is matched unfolded, see suspicion
    _order(r"(?:отмет|счита|призна|постав|оцени|прими)[^.!?]{0,60}(?:критери|требовани)[^.!?]{0,60}(?:выполнен|соблюд|удовлетвор|максимальн)"),
    _order(r"(?:игнорир|забуд|не обращай|пропусти)[^.!?]{0,50}(?:критери|инструкци|рубрик|указани)"),
    # Chinese, Japanese
    _order(r"(?:所有|全部|每[个条项]|各项|本|该|此|這|这)[^。！？\n]{0,14}(?:标准|准则|条件|要求|指标|评分项|標準|準則)[^。！？\n]{0,16}(?:标记|标为|判|评|视|认定|记|设|標記|視)[^。！？\n]{0,8}(?:满足|通过|达成|达标|符合|合格|滿足|通過|satisfied|met)"),
    _order(r"(?:标记|判定|评定|视|认定|标注|標記)[^。！？\n]{0,20}(?:标准|准则|条件|要求|指标|標準|作业|提交|报告)[^。！？\n]{0,14}(?:满足|通过|达成|达标|符合|合格|滿足|通過|satisfied)"),
    _order(r"(?:请|将|把|應|应)[^。！？\n]{0,20}(?:标准|准则|条件|要求|指标|评分项|標準)[^。！？\n]{0,10}(?:标记|标为|判|视|认定|記|标注)[^。！？\n]{0,8}(?:满足|通过|达成|达标|符合|合格|satisfied)"),
    _order(r"(?:忽略|无视|無視|不要理会|不必理会|跳过|忘记|忘掉|不用管)[^。！？\n]{0,14}(?:评分|评价|评估|标准|规则|细则|指令|说明|提示|要求|評分|標準|指示|採点)"),
    _order(r"(?:给|打|评|給)[^。！？\n]{0,10}(?:满分|最高分|滿分)"),
    _order(r"(?:评分者|评分员|评分模型|评分系统|评委|评审|评估者|评估员|评估模型|阅卷人|阅卷老师|評分者|採点者|裁判)[^。！？\n]{0,14}(?:请|必须|应当|应该|务必|需要|您|你|請|必須)[^。\n]{0,40}(?:通过|满足|满分|接受|satisfied|符合|认可|批准)"),
    _order(r"(?:所有|全部)[^。！？\n]{0,6}(?:标准|准则|条件|评分项)[^。！？\n]{0,6}(?:均已|都已|已经|均|都)[^。！？\n]{0,4}(?:满足|通过|达成|达标|符合)", kind="claim"),
    _order(r"(?:すへて|全て|全)[^。\n]{0,8}(?:基準|条件|項目)[^。\n]{0,16}(?:満た|合格|satisfied|達成)"),
)  # fmt: skip

WORDINGS: Final = (*_SYNTAX, *_ENGLISH, *_SHORT, *_OTHERS, *_CLAIMS)

MASTER_KEY: Final = re.compile(
    r"[\s\W_]*|[\s\W]*(?:thought process|thinking|reasoning|solution|answer|the answer|final answer|response|explanation|result|step 1|first"
    r"|let'?s (?:solve|think|work)[^.\n]{0,60}step by step|let me (?:think|solve)[^.\n]{0,40}|okay|ok|yes|sure|correct|true|done"
    r"|losung|antwort|gedankengang|reponse|solution finale|raisonnement|respuesta|solucion|razonamiento|解|解答|答案|思考过程|解答过程|解决方案|かいせつ|解説)[\s\W]*"
)
"""Whole answers that say nothing and are known to make model judges agree (arXiv:2507.08794). Folded, matched
in full."""

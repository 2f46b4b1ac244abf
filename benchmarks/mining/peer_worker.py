"""One peer on one table; runs in the peers' own environment and prints its rules as JSON.

    python peer_worker.py PEER TABLE.npz SECONDS

SECONDS of the processor and it is stopped: a limit that does not depend on who else uses the machine.

The table: one array per column (labels as text, numbers as floats) and the target ``__target__``. A rule is
a list of ``[attribute, label, low, high]``. Settings are the peers' own or their documents' examples; only
what a rule may look like (three conditions, one in a hundred rows) is set as for our own miner.
"""

import json
import resource
import sys
import time
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
MOST = 40
DEPTH = 3


def main():
    peer, path, limit = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit)))
    data = np.load(path, allow_pickle=False)
    target = data["__target__"]
    frame = pd.DataFrame({name: data[name] for name in data.files if name != "__target__"})
    start = time.process_time()
    rules = PEERS[peer](frame, target)
    print(json.dumps({"rules": rules[:200], "seconds": time.process_time() - start}))


def is_text(column):
    return column.dtype.kind in "UO"


def dummies(frame):
    """Numbers as they are (missing: the median), labels one-hot as ``attribute=label``."""
    parts = {}
    for name in frame:
        column = frame[name]
        if is_text(column.to_numpy()):
            for label in sorted(set(column) - {""}):
                parts[f"{name}={label}"] = (column == label).astype(float)
        else:
            parts[name] = column.fillna(column.median())
    return pd.DataFrame(parts)


def merged(terms):
    """Conditions on the same attribute as one; None for a rule that says what something is not."""
    found = {}
    for attribute, label, low, high in terms:
        old = found.get(attribute, [attribute, None, None, None])
        if label is not None:
            if old[1] not in (None, label):
                return None
            old[1] = label
        if low is not None:
            old[2] = low if old[2] is None else max(low, old[2])
        if high is not None:
            old[3] = high if old[3] is None else min(high, old[3])
        found[attribute] = old
    return list(found.values())


def split(feature, above, cut):
    """A tree's decision on a (dummy) feature; None where it says "not this label"."""
    if "=" in feature:
        name, _, label = feature.partition("=")
        return [name, label, None, None] if above else None
    return [feature, None, cut, None] if above else [feature, None, None, cut]


def tree(frame, target):
    from sklearn.tree import DecisionTreeClassifier

    x = dummies(frame)
    fitted = DecisionTreeClassifier(max_depth=6, min_samples_leaf=max(5, len(x) // 100), random_state=0).fit(
        x, target
    )
    t, rules = fitted.tree_, []

    def walk(node, terms):
        if t.children_left[node] == -1:
            if t.value[node][0][1] >= 0.5:
                rules.append(merged([term for term in terms if term is not None]))
            return
        feature, cut = x.columns[t.feature[node]], float(t.threshold[node])
        walk(t.children_left[node], [*terms, split(feature, False, cut)])
        walk(t.children_right[node], [*terms, split(feature, True, cut)])

    walk(0, [])
    return [rule for rule in rules if rule]


def parsed(text, names):
    """``size_0 > 3.2 and kind_1=a > 0.5`` of imodels."""
    terms = []
    for part in text.split(" and "):
        for sign in ("<=", ">=", "<", ">"):
            if f" {sign} " in part:
                name, value = part.split(f" {sign} ")
                terms.append(split(names.get(name.strip(), name.strip()), sign[0] == ">", float(value)))
                break
    return merged([term for term in terms if term is not None])


def skope_rules(frame, target):
    from imodels import SkopeRulesClassifier

    x = dummies(frame)
    names = {f"X{i}": name for i, name in enumerate(x.columns)}
    fitted = SkopeRulesClassifier(precision_min=0.5, recall_min=0.01, max_depth=DEPTH, random_state=0)
    fitted.fit(x.to_numpy(), target.astype(int), feature_names=list(names))
    return [
        r for r in (parsed(str(getattr(rule, "rule", rule)), names) for rule in fitted.rules_[:MOST]) if r
    ]


def rulefit(frame, target):
    from imodels import RuleFitClassifier

    x = dummies(frame)
    names = {f"X{i}": name for i, name in enumerate(x.columns)}
    fitted = RuleFitClassifier(max_rules=MOST, tree_size=8, random_state=0)
    fitted.fit(x.to_numpy(), target.astype(int), feature_names=list(names))
    table = fitted._get_rules() if hasattr(fitted, "_get_rules") else fitted.get_rules()
    table = table[(table["coef"] > 0) & (table["type"] == "rule")].sort_values("importance", ascending=False)
    return [r for r in (parsed(str(rule), names) for rule in table["rule"][:MOST]) if r]


def forest(frame, target):
    from sklearn.ensemble import RandomForestClassifier

    x = dummies(frame)
    fitted = RandomForestClassifier(40, max_depth=DEPTH, random_state=0).fit(x, target)
    found = {}
    for one in fitted.estimators_:
        t = one.tree_

        def walk(node, terms, t=t):
            if t.children_left[node] == -1:
                rule = merged([term for term in terms if term is not None])
                if rule and t.value[node][0][1] >= 0.4:
                    found[json.dumps(rule)] = (float(t.value[node][0][1]), rule)
                return
            feature, cut = x.columns[t.feature[node]], float(t.threshold[node])
            walk(t.children_left[node], [*terms, split(feature, False, cut)])
            walk(t.children_right[node], [*terms, split(feature, True, cut)])

        walk(0, [])
    return [rule for _, rule in sorted(found.values(), key=lambda pair: -pair[0])[:MOST]]


def ripper(frame, target):
    import wittgenstein

    data = frame.copy()
    data["target"] = target
    fitted = wittgenstein.RIPPER(random_state=0, max_rule_conds=DEPTH)
    fitted.fit(data, class_feat="target", pos_class=True)
    rules = []
    for rule in fitted.ruleset_.rules:
        terms = []
        for cond in rule.conds:
            value = str(cond.val)
            if is_text(frame[cond.feature].to_numpy()):
                terms.append([cond.feature, value, None, None])
            elif value[0] in "<>":
                cut = float(value[1:])
                terms.append(
                    [cond.feature, None, cut if value[0] == ">" else None, cut if value[0] == "<" else None]
                )
            else:
                low, _, high = value.lstrip("-").partition("-") if not value.startswith("-") else ("", "", "")
                terms.append(
                    [cond.feature, None, float(low), float(high)]
                    if high
                    else [cond.feature, value, None, None]
                )
        rules.append(merged(terms))
    return [rule for rule in rules if rule]


def subgroups(frame, target):
    import pysubgroup as ps

    data = frame.copy()
    for name in data:
        if is_text(data[name].to_numpy()):
            data[name] = data[name].replace("", np.nan)
    data["target"] = target
    task = ps.SubgroupDiscoveryTask(
        data,
        ps.BinaryTarget("target", True),
        ps.create_selectors(data, ignore=["target"]),
        result_set_size=20,
        depth=DEPTH,
        qf=ps.StandardQF(0.5),
    )
    rules = []
    for _, rule, _ in ps.BeamSearch().execute(task).results:
        terms = []
        for selector in rule.selectors:
            if hasattr(selector, "attribute_value"):
                terms.append([selector.attribute_name, str(selector.attribute_value), None, None])
            else:
                low, high = float(selector.lower_bound), float(selector.upper_bound)
                low, high = (None if np.isinf(low) else low), (None if np.isinf(high) else high)
                terms.append([selector.attribute_name, None, low, high])
        rules.append(merged(terms))
    return [rule for rule in rules if rule]


def binned(frame):
    """Text items ``attribute=label`` and ``attribute:low:high`` of ten quantile bins."""
    columns = {}
    for name in frame:
        column = frame[name]
        if is_text(column.to_numpy()):
            columns[name] = column.map(lambda v, name=name: f"{name}={v}")
        else:
            edges = np.unique(np.nanquantile(column, np.linspace(0, 1, 11)))
            place = np.clip(np.searchsorted(edges, column, side="right") - 1, 0, len(edges) - 2)
            columns[name] = pd.Series([f"{name}:{edges[p]}:{edges[p + 1]}" for p in place])
    return pd.DataFrame(columns)


def item(text):
    if "=" in text:
        name, _, label = text.partition("=")
        return [name, label, None, None]
    name, low, high = text.split(":")
    return [name, None, float(low), float(high)]


def itemsets(frame, target):
    from mlxtend.frequent_patterns import fpgrowth

    items = pd.get_dummies(binned(frame), prefix="", prefix_sep="").astype(bool)
    bad = fpgrowth(items[target], min_support=max(0.03, 5 / target.sum()), use_colnames=True, max_len=DEPTH)
    found = []
    for row in bad.itertuples():
        inside = items[list(row.itemsets)].all(axis=1).to_numpy()
        rate = target[inside].mean()
        if rate >= 0.5:
            found.append((row.support * rate, [item(text) for text in row.itemsets]))
    return [merged(rule) for _, rule in sorted(found, key=lambda pair: -pair[0])[:MOST]]


def slices(frame, target):
    from sliceline.slicefinder import Slicefinder

    items = binned(frame)
    finder = Slicefinder(alpha=0.95, k=20, max_l=DEPTH, min_sup=max(5, len(items) // 100), verbose=False)
    finder.fit(items.to_numpy(dtype=object), target.astype(float))
    return [merged([item(text) for text in one if text is not None]) for one in finder.top_slices_]


PEERS = {
    "sklearn tree": tree,
    "random-forest rules": forest,
    "imodels skope-rules": skope_rules,
    "imodels RuleFit": rulefit,
    "wittgenstein RIPPER": ripper,
    "pysubgroup beam": subgroups,
    "mlxtend fpgrowth": itemsets,
    "sliceline": slices,
}

if __name__ == "__main__":
    main()

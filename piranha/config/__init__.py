"""The lvs.cf language: text <-> document <-> cluster, and every fault in it. Pure.

`load` is the door: bytes -> text -> `Loaded` (document, cluster, faults). Where a change belongs:

Keywords    `fields` is the table, its rows are in `global_fields`, `service_fields`, `kept_fields`; what a row is:
            `field_types`; how a value is read: `values`, `escapes`, `expressions`, `service_names`
Reading     grammar/lvs.lark -> `syntax` -> `blocks`, line by line with `headers`, `lost_headers`, `lines`, `words`;
            what is odd about a line: `oddities`; an index of it all: `document`, `path`; as the originals: `strict`;
            without the garbage collector: `collecting`
Meaning     `bind` makes the `model` of a document
Faults      `rules` asks `line_rules`, `brace_rules`, `text_rules`, `service_rules`, `family_rules`, each telling its
            `findings`; a fault is in `faults`, every kind in `fault_kinds` (`fault_types`, `*_fault_kinds`); what only
            the outside can tell: `outside`, `programs`; which faults a change brought: `new_faults`
Editing     `edits` are what a person wants; `editing` does them with `line_edits`, `block_edits`, `splices` (which
            bytes), and proves them with `content`; `canonical` is the whole file anew
Comparing   `diffs`, `changes` (in sentences), `side_effects`, `rollback`, `nearest`
Applying    `unconfirmed`: what becomes of an Apply that nobody confirmed
piranha.toml  `extensions` is the door; its tables: `gui_settings`, `failover_settings`, `sync_settings`,
            `health_settings` (with `check_kinds`), read with `toml_text` and `toml_values`; what both routers share of
            it: `shared_part`
Pages       `manual_page` is lvs.cf(5), with `manual_words` and `roff`; `fault_page` is docs/faults.md
"""

//! The fields that are no columns: what stands around the sockets, and what events and findings have.

use crate::report::fields::Field;

/// Name, type, unit (or nothing), meaning.
type FieldRow = (&'static str, &'static str, &'static str, &'static str);

/// Where it was seen.
const HOST: FieldRow = ("host", "string", "", "The host that it shows.");

/// Of every list that is one object.
pub(super) const HEAD: &[FieldRow] = &[
    ("schema", "integer", "", "Changes when a name or a meaning does."),
    ("at", "string", "", "The time of the last sample, RFC 3339, UTC."),
    HOST,
    ("source", "string", "", "Where it is from: linux, procfs, portable, replay or synthetic."),
    ("coverage", "object", "", "How many sockets the sample has, and what could not be seen."),
];

/// Of a list of sockets.
pub(super) const SOCKETS: &[FieldRow] =
    &[("sockets", "array", "", "The sockets; with ndjson one a line, without the list.")];

/// Of a list of groups.
pub(super) const GROUPS: &[FieldRow] = &[
    ("group_by", "array", "", "The fields that the sockets of a group have in common."),
    ("groups", "array", "", "The groups; with ndjson one a line, without the list."),
    ("total", "object", "", "How many groups and sockets there are, those left out included."),
    ("left_out", "object", "", "How many groups and sockets --limit or --top left out."),
];

/// Of a socket, beside its columns.
pub(super) const OWNERS: &[FieldRow] = &[
    (
        "owners",
        "array",
        "",
        "Every process that holds it, each with pid and process, and thread where the descriptor is that of one thread alone.",
    ),
    ("waiter", "string", "", "What waits for the socket: epoll, thread or none; null, as that is not asked for."),
];

/// Of a line that stands alone.
pub(super) const LINE: &[FieldRow] = &[
    ("host", "string", "", "The host that it shows; with ndjson and csv, unless --columns names others."),
    ("at", "string", "", "The time of the sample, RFC 3339, UTC; with ndjson and csv, unless --columns names others."),
];

/// Of an event about a socket, before the fields of that.
pub(super) const CHANGE: &[FieldRow] = &[
    ("event", "string", "", "What happened: opened, transition, or closed, when the last trace is gone."),
    (
        "at",
        "string",
        "",
        "When it happened, as well as that is known and never later than it was seen: exact by tracepoint, within some 10 ms by a destroy event or a clock of the kernel, else when the sample that showed it was taken. RFC 3339, UTC.",
    ),
    HOST,
    (
        "from",
        "string",
        "",
        "The state before; null for one that was opened, and for the end of one whose last state is not known.",
    ),
    ("to", "string", "", "The state after; null for one that is closed."),
    (
        "outcome",
        "string",
        "",
        "How the connection, or the attempt at one, came to its end: closed (by both sides), refused, timed-out, given-up (by the process, before an answer), unreachable, reset, reset-here (by the process) or aborted (from outside); null for what is no end, and where nothing tells how. Without the trace (conntop explain told-by) only closed is told.",
    ),
    ("lasted_seconds", "number", "seconds", "The time spent in from."),
    ("lasted_basis", "string", "", "How that time is known: observed, kernel or at-least."),
    ("states_skipped", "boolean", "", "Whether states between were not seen."),
    ("told_by", "string", "", "What observed it: samples, destroy-event or tracepoint; see conntop explain told-by."),
];

/// Of the event that others were lost.
pub(super) const GAP: &[FieldRow] = &[
    ("event", "string", "", "gap: events were lost, lines may be missing."),
    ("at", "string", "", "When it was noticed, RFC 3339, UTC."),
    HOST,
    ("lost", "integer", "", "How many events; null where the kernel does not say."),
    ("lost_from", "string", "", "From when on, RFC 3339, UTC."),
    ("lost_to", "string", "", "Until when, RFC 3339, UTC."),
    ("told_by", "string", "", "Whose events: destroy-event or tracepoint."),
];

/// Of the event that something is found wrong, or no longer.
pub(super) const FINDING: &[FieldRow] = &[
    ("event", "string", "", "finding: something is wrong, or no longer."),
    ("at", "string", "", "When that was known, RFC 3339, UTC."),
    HOST,
    ("change", "string", "", "found, changed (its severity) or ended."),
    ("rule", "string", "", "Which; conntop explain says what it means."),
    ("other_rule", "string", "", "Another rule that found the same cause."),
    ("severity", "string", "", "warning or critical."),
    ("sentence", "string", "", "What is wrong, as text."),
    ("why", "string", "", "Why, in a few words."),
    ("process", "string", "", "The process, or the program of all of them, by name."),
    ("pid", "integer", "", "The process by number; null where several share it."),
    ("processes", "integer", "", "How many known processes share it; at least so many from 1,024 on."),
    ("pids", "array", "", "The first 16 of them by number, those with most of the sockets first."),
    ("place", "string", "", "Where: to (a remote endpoint), on (a local one), process or machine."),
    ("addr", "string", "", "The address of the place."),
    ("port", "integer", "", "The port of the place."),
    ("interface", "string", "", "The interface that the place is bound to, or that its address belongs to."),
    ("netns", "integer", "", "The network namespace, as the inode of /proc/PID/ns/net."),
    ("listener", "integer", "", "The listening socket that it is about, as its inode."),
    ("state", "string", "", "The state of its sockets, if it is one."),
    ("sockets", "integer", "", "How many sockets it is about."),
    ("since_seconds", "number", "seconds", "How long it has lasted."),
    ("since_basis", "string", "", "How that is known: observed, kernel or at-least."),
    ("slope_per_minute", "number", "per minute", "How fast it grows."),
    ("slope_confidence", "number", "1 is all", "How well a straight line explains that."),
    ("runs_out", "string", "", "What runs out."),
    ("runs_out_seconds", "number", "seconds", "In how long: what is left, by what is used up in that time."),
    ("runs_out_left", "integer", "", "How many are left."),
    ("runs_out_per_minute", "number", "per minute", "How many more are used up."),
    ("evidence", "object", "", "Numbers behind it; their names end in the unit, and in _max for a limit."),
    (
        "caused",
        "array",
        "",
        "What else was found and is explained by this: rule, sentence, sockets, processes, filter.",
    ),
    ("caused_left_out", "integer", "", "How many more findings it explains than are listed."),
    ("caused_left_out_sockets", "integer", "", "The sockets of those."),
    ("examples", "array", "", "Sockets that it is about, with the fields of a list."),
    ("filter", "string", "", "A filter that shows its sockets."),
    ("explain", "string", "", "The command that says what it means."),
    ("remedy", "array", "", "What to do, first thing first."),
    ("does_not_help", "array", "", "What does not help."),
];

pub(super) fn of(of: &'static str, names: &[FieldRow]) -> Vec<Field> {
    let field = |&(field, r#type, unit, meaning): &FieldRow| Field {
        of,
        field,
        column: None,
        r#type,
        unit: Some(unit).filter(|unit| !unit.is_empty()),
        values: None,
        meaning,
    };
    names.iter().map(field).collect()
}

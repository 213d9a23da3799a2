//! What there is to say about a finding: what is known of it, what to do first, and what does not help.

use std::time::Duration;

use crate::app::detail::byte_words;
use crate::app::explain::more_sections;
use crate::app::panels::PanelContext;
use crate::app::prose::{LABEL_WIDTH, ProseColumn, ProseLine, Section, side_by_side};
use crate::diagnosis::finding::{Evidence, Finding, Measure, Slope};
use crate::diagnosis::ignore::Ignore;
use crate::diagnosis::rule::Rule;
use crate::knowledge::{remedies, rules};
use crate::model::address_text::both_ends;
use crate::model::delta::AgeBasis;
use crate::model::socket::SocketId;
use crate::model::time::Timestamp;
use crate::store::row::SocketRow;
use crate::table::cut::{cells, cut};
use crate::table::units;

/// From this width on there are two columns.
const TWO_COLUMNS_WIDTH_MIN: u16 = 110;
/// From this width on there is room for the topics behind it.
const MORE_WIDTH_MIN: u16 = 160;
/// From this confidence on a slope is said as a fact.
const SURE_MIN: f32 = 0.8;
/// Below this confidence a slope is noise, without a direction.
const DIRECTION_MIN: f32 = 0.3;

/// Evidence that the line about growth says already.
const TOLD_BEFORE: [&str; 2] = ["slope", "watched"];
/// Cells of a command line: its start says which program it is.
const COMMAND_WIDTH: u16 = 60;

/// The name of a rule.
pub fn title(rule: Rule) -> &'static str {
    rules::text(rule.id()).map_or(rule.id(), |text| text.title.as_str())
}

/// For how long the cause lasts: `52m`, `≥52m`; blank where nothing says.
pub fn since_text(finding: &Finding, now: Timestamp) -> String {
    finding.since.map_or_else(String::new, |since| since.age_text(now))
}

/// `+4/min`, `steady`, `−12/min?`, `up & down`.
pub fn slope_text(slope: Slope) -> String {
    let doubt = if slope.confidence < SURE_MIN { "?" } else { "" };
    match per_minute(slope.per_minute) {
        steady if steady.is_empty() => "steady".to_owned(),
        _ if slope.confidence < DIRECTION_MIN => "up & down".to_owned(),
        change => format!("{change}{doubt}"),
    }
}

/// `+4/min`; empty for less than one in ten minutes.
fn per_minute(change: f32) -> String {
    let sign = if change < 0.0 { '−' } else { '+' };
    match change.abs() {
        0.0..0.1 => String::new(),
        few @ 0.1..9.95 => format!("{sign}{few:.1}/min").replace(".0/", "/"),
        many => format!("{sign}{}/min", whole(many)),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates; only sizes are given")]
fn whole(size: f32) -> String {
    units::count(size.round() as u64)
}

/// The value of the evidence, with its unit.
pub fn evidence_text(evidence: &Evidence) -> String {
    match &evidence.value {
        Measure::Count(count) => units::count(*count),
        Measure::Id(id) => id.to_string(),
        Measure::Of(part, all) => of_words(*part, *all),
        Measure::Span(span) => units::lasted(*span),
        Measure::PerSecond(rate) if *rate < 10.0 => format!("{rate:.1}/s"),
        Measure::PerSecond(rate) => format!("{}/s", whole(*rate)),
        Measure::PerMinute(change) => match per_minute(*change) {
            steady if steady.is_empty() => "0/min".to_owned(),
            change => change,
        },
        Measure::Bytes(bytes) => byte_words(*bytes),
        Measure::Words(words) => words.clone(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no exactness")]
fn of_words(part: u64, all: u64) -> String {
    let share = if all == 0 { String::new() } else { format!(" ({})", units::share(part as f64 / all as f64)) };
    format!("{} of {}{share}", units::count(part), units::count(all))
}

/// The text of a finding on a screen of `width`.
pub fn columns(finding: &Finding, context: &PanelContext<'_>, width: u16) -> Vec<ProseColumn> {
    let text = rules::text(finding.rule().id());
    let list = |title, of: fn(&rules::RuleText) -> &[String], numbered: bool| {
        let mut section = Section::new(title);
        let items = text.map_or(&[][..], of);
        if numbered {
            section.numbered(items);
        } else {
            section.listed(items);
        }
        section
    };
    let mut first = Section::new("Do this first");
    first.numbered(&advice(finding));
    let useless = list("What does not help", |text| &text.does_not_help, false);
    let mut about = Section::new("What it means");
    about.lines.extend(text.map(|text| ProseLine::Text(text.about.clone())));
    let mut lead = Section::new("");
    lead.lines.push(ProseLine::Lead(finding.sentence.clone()));
    let (known, explained, examples) = (known(context, finding), explained(finding), examples(context, finding));
    if width < TWO_COLUMNS_WIDTH_MIN {
        return side_by_side(
            width,
            vec![vec![lead, first, known, explained, useless, about, examples, silence(finding)]],
        );
    }
    let mut advice = vec![first, useless, about];
    if width >= MORE_WIDTH_MIN {
        advice.extend(more_sections(finding.rule()));
    }
    side_by_side(width, vec![vec![lead, known, explained, examples, silence(finding)], advice])
}

/// How to ignore it: it is counted then, but not shown.
fn silence(finding: &Finding) -> Section {
    let mut section = Section::new("To ignore it");
    let ignore = Ignore::like(finding);
    section.lines.push(ProseLine::Dim(format!("conntop --ignore '{}', or in the config file:", ignore.words())));
    section.lines.extend(ignore.config().into_iter().map(ProseLine::Dim));
    section
}

/// What to do in the program that has the trouble, then in general.
fn advice(finding: &Finding) -> Vec<String> {
    let (name, command) = finding.program_and_command();
    let general = rules::text(finding.rule().id()).into_iter();
    let general = general.flat_map(|text| text.remedies(finding.key.scope.is_loopback()));
    remedies::of(finding.rule().id(), name, command).iter().chain(general).cloned().collect()
}

/// Why, since when, how fast, what runs out, and the numbers behind it.
fn known(context: &PanelContext<'_>, finding: &Finding) -> Section {
    let mut section = Section::new("What is known");
    if !finding.why.is_empty() {
        section.lines.push(ProseLine::Strong("why", finding.why.to_owned()));
    }
    if let Some(runs_out) = finding.runs_out {
        let left = units::count(runs_out.left);
        let rate = per_minute(runs_out.per_minute);
        let rate = if rate.is_empty() { String::new() } else { format!(", {rate}") };
        let text = format!("{} run out in {}: {left} left{rate}", runs_out.what, eta(runs_out.within));
        section.lines.push(ProseLine::Alarm(finding.severity, "next", text));
    }
    section.known("process", finding.process.as_ref().map(|process| process_words(process)));
    section.known("processes", finding.processes_in_words());
    section.known("since", finding.since.map(|since| since_words(context, since)));
    section.known("growth", Some(growth_words(finding.slope)));
    for evidence in finding.evidence.iter().filter(|evidence| !TOLD_BEFORE.contains(&evidence.key)) {
        let (label, text) = (evidence.label, evidence_text(evidence));
        match cells(label) {
            0..LABEL_WIDTH => section.fact(label, text),
            _ => section.fact("", format!("{label}: {text}")),
        }
    }
    section
}

/// What else was found and is explained by it.
fn explained(finding: &Finding) -> Section {
    let mut section = Section::new("What it explains");
    section.lines.extend(finding.caused.lines().map(|line| ProseLine::Item("•".to_owned(), line)));
    section
}

fn process_words(process: &crate::model::process::Process) -> String {
    let command = cut(process.command.as_str(), COMMAND_WIDTH);
    let command = if command.is_empty() { String::new() } else { format!("  {command}") };
    format!("{process}{command}")
}

fn since_words(context: &PanelContext<'_>, since: crate::model::delta::Since) -> String {
    let age = units::lasted(since.age(context.store.at()));
    match since.basis {
        AgeBasis::Observed => format!("{age}, from {} on: conntop saw it begin", context.time_of_day(since.at)),
        AgeBasis::Kernel => format!("{age}, by the kernel's clocks"),
        AgeBasis::AtLeast => format!("at least {age}; it may be longer"),
    }
}

fn growth_words(slope: Option<Slope>) -> String {
    let Some(slope) = slope else { return "not known yet: it takes some samples".to_owned() };
    let over = units::lasted(slope.over);
    let share = units::share(f64::from(slope.confidence));
    match per_minute(slope.per_minute) {
        steady if steady.is_empty() => format!("steady over {over}"),
        change if slope.confidence >= SURE_MIN => format!("{change} over {over} (a straight line explains {share})"),
        _ if slope.confidence < DIRECTION_MIN => {
            format!("up and down over {over} (a straight line explains only {share})")
        }
        change => format!("perhaps {change} over {over} (a straight line explains only {share})"),
    }
}

/// A time ahead, coarse: it is a guess.
fn eta(within: Duration) -> String {
    units::age(within)
}

/// The first of the sockets it is about, a line each.
fn examples(context: &PanelContext<'_>, finding: &Finding) -> Section {
    let (mut section, keymap) = (Section::new("Examples"), &context.config.settings.keymap);
    let row = |id: &SocketId| context.store.rows().get(context.store.rows().find(*id)?);
    for row in finding.examples.iter().filter_map(row) {
        section.lines.push(ProseLine::Item("•".to_owned(), example_words(context, row)));
    }
    if !finding.filter.is_empty() && finding.sockets > 0 {
        let text = format!("{}: {}", those_sockets(finding.sockets), finding.filter);
        section.lines.push(ProseLine::Dim(keymap.fill("‹open› shows ") + &text));
    }
    section.lines.push(ProseLine::Dim(
        keymap.fill("‹explain›") + &format!(" explains it, as conntop explain {} does", finding.rule().id()),
    ));
    section
}

fn those_sockets(sockets: u32) -> String {
    match sockets {
        1 => "the socket".to_owned(),
        count => format!("all {}", units::counted(count.into(), "socket")),
    }
}

fn example_words(context: &PanelContext<'_>, row: &SocketRow) -> String {
    let socket = &row.connection.socket;
    let ends = both_ends(socket, context.store.names());
    let age = row.connection.state_since.map(|since| format!("  {}", since.age_text(context.store.at())));
    let verdict = socket.verdict().map_or_else(String::new, |verdict| format!("  {}", verdict.words()));
    format!("{ends}  {}{}{verdict}", socket.state, age.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_say_how_sure_they_are() {
        let slope = |per_minute, confidence| Slope { per_minute, over: Duration::from_secs(5 * 60), confidence };
        assert_eq!(slope_text(slope(4.0, 0.99)), "+4/min");
        assert_eq!(slope_text(slope(0.5, 0.9)), "+0.5/min");
        assert_eq!(slope_text(slope(-1_200.0, 0.5)), "−1,200/min?");
        assert_eq!(slope_text(slope(0.01, 0.9)), "steady");
        assert_eq!(slope_text(slope(-1.5, 0.02)), "up & down");
        assert!(growth_words(Some(slope(-1.5, 0.02))).starts_with("up and down over 5m00s"));
        assert!(growth_words(Some(slope(4.0, 0.5))).starts_with("perhaps +4/min over 5m00s"));
    }

    #[test]
    fn evidence_has_its_unit() {
        let said = |value| evidence_text(&Evidence { key: "x", label: "x", value, is_metric: false });
        assert_eq!(said(Measure::Of(312, 1_024)), "312 of 1,024 (30%)");
        assert_eq!(said(Measure::Of(3, 0)), "3 of 0");
        assert_eq!(said(Measure::PerSecond(470.4)), "470/s");
        assert_eq!(said(Measure::Bytes(12_100)), "12.1 kB");
        assert_eq!(said(Measure::PerMinute(0.0)), "0/min");
    }
}

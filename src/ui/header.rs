//! The first line: what is looked at, and at its right end what cannot be seen.

use std::time::Duration;

use ratatui::layout::Rect;

use crate::app::binding::READ_ONLY;
use crate::app::click::ClickTarget;
use crate::app::tabs::Tab;
use crate::app::{App, SourceStatus};
use crate::model::host_name::Lookups;
use crate::model::hosts::{HostStatus, StreamStatus};
use crate::model::tcp_state::TcpState;
use crate::model::text::DisplayText;
use crate::store::history::flow::FlowMeasure;
use crate::table::cut::cells;
use crate::table::units;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// What is said where these parts are clicked.
const INTERVAL: &str = "+ and - change how often samples are taken";
const PAUSED: &str = "too much waits while the screen stands still: z goes on";
const HIDDEN: &str = "owners are hidden: run conntop as root to see them; conntop explain hidden";
const DOT: &str = " · ";
/// From this width on there is room to say why owners are hidden; below, what moves is worth more than a second limit.
const WHY_WIDTH_MIN: u16 = 100;
/// An interval that is longer than wanted by more than this share (a divisor) is called slow.
const SLOW_DIVISOR: u32 = 20;

/// Draws it.
pub fn draw(painter: &mut Painter<'_>, area: Rect, app: &App) {
    if area.height == 0 {
        return;
    }
    let right_room = if area.width < WHY_WIDTH_MIN { area.width / 3 } else { area.width / 2 };
    let right = fitting(limits(app), right_room);
    let right_width = width_of(&right);
    let left_room = area.width.saturating_sub(right_width + 12);
    let left = fitting(facts(app, usize::from(left_room)), left_room);
    let mut x = painter.put(1, area.y, "conntop", area.width, Role::Accent) + 2;
    draw_parts(painter, Rect { x, ..area }, &left);
    x = area.width.saturating_sub(right_width + 1);
    draw_parts(painter, Rect { x, ..area }, &right);
}

/// Something that the line says.
struct HeaderPart {
    text: String,
    role: Role,
    /// What a click on it does.
    target: Option<ClickTarget>,
}

impl HeaderPart {
    fn new(text: impl Into<String>, role: Role) -> Self {
        Self { text: text.into(), role, target: None }
    }

    /// The same, and what a click on it does.
    fn clicked(self, target: ClickTarget) -> Self {
        Self { target: Some(target), ..self }
    }
}

fn draw_parts(painter: &mut Painter<'_>, area: Rect, parts: &[HeaderPart]) {
    let (mut x, end) = (area.x, painter.area().right());
    for (at, part) in parts.iter().enumerate() {
        x = if at > 0 { painter.put(x, area.y, DOT, end, Role::Dim) } else { x };
        let start = x;
        x = painter.put(x, area.y, &part.text, end.saturating_sub(x), part.role);
        if let Some(target) = part.target {
            painter.clickable(Rect::new(start, area.y, x - start, 1), target);
        }
    }
}

fn width_of(parts: &[HeaderPart]) -> u16 {
    let text: usize = parts.iter().map(|part| cells(&part.text)).sum();
    u16::try_from(text + parts.len().saturating_sub(1) * cells(DOT)).unwrap_or(u16::MAX)
}

/// As many parts as fit, the first ones first.
fn fitting(mut parts: Vec<HeaderPart>, width: u16) -> Vec<HeaderPart> {
    while parts.len() > 1 && width_of(&parts) > width {
        parts.pop();
    }
    parts
}

/// The host, or how many there are and how many of them send samples.
fn hosts(app: &App) -> String {
    let statuses = app.store.host_statuses();
    let flowing = statuses.iter().filter(|status| status.stream == StreamStatus::Flowing).count();
    match statuses {
        [] | [_] => app.store.source().host.to_string(),
        all if flowing < all.len() => format!("{flowing} of {}", units::counted(all.len() as u64, "host")),
        all => units::counted(all.len() as u64, "host"),
    }
}

/// Hosts of which no samples come, and those with another time.
fn host_troubles(app: &App) -> Vec<HeaderPart> {
    let statuses = app.store.host_statuses();
    let is_over = statuses.iter().all(|status| status.stream != StreamStatus::Flowing);
    let streams = statuses.iter().filter_map(|status| stream_trouble(app, status, is_over));
    streams.chain(statuses.iter().filter_map(clock_trouble)).collect()
}

/// What becomes of a host; that all are at their end is said once, elsewhere.
fn stream_trouble(app: &App, status: &HostStatus, is_over: bool) -> Option<HeaderPart> {
    let HostStatus { name, stream, at, .. } = status;
    let has_room = app.config.size.0 >= WHY_WIDTH_MIN;
    let time = at.map_or_else(String::new, |at| app.time_of_day(at));
    // To the second.
    let time = time.split('.').next().unwrap_or_default();
    let why = |why: &DisplayText| if has_room { format!(": {why}") } else { String::new() };
    let (text, role) = match stream {
        StreamStatus::Flowing => return None,
        StreamStatus::AtEnd if is_over => return None,
        StreamStatus::AtEnd => (format!("{name} ends at {time}"), Role::Dim),
        StreamStatus::Waiting => (format!("{name} waited for"), Role::Dim),
        StreamStatus::Silent => (format!("{name} silent since {time}"), Role::Strong),
        StreamStatus::Ended(reason) => (format!("{name} ended {time}{}", why(reason)), Role::Error),
        StreamStatus::Refused(reason) if has_room => (reason.to_string(), Role::Error),
        StreamStatus::Refused(_) => (format!("{name} unreadable"), Role::Error),
    };
    Some(HeaderPart::new(text, role))
}

/// How far the clock of a host is from ours.
fn clock_trouble(status: &HostStatus) -> Option<HeaderPart> {
    let ahead = status.clock_ahead_ms?;
    let sign = if ahead < 0 { '−' } else { '+' };
    let by = crate::model::units::lasted(Duration::from_millis(ahead.unsigned_abs()));
    Some(HeaderPart::new(format!("{} clock {sign}{by}", status.name), Role::Dim))
}

/// What is looked at, in `room` cells.
fn facts(app: &App, room: usize) -> Vec<HeaderPart> {
    let counts = app.store.rows().counts();
    let sockets = counts.total();
    let clock = app.clock_text(room);
    let mut parts: Vec<_> = clock.into_iter().map(clock_part).collect();
    parts.push(HeaderPart::new(hosts(app), Role::Strong));
    // Before the first sample is in, none have been counted.
    if !app.store.history().samples().is_empty() {
        let text = units::counted(u64::from(sockets), "socket");
        parts.push(HeaderPart::new(text, Role::Text).clicked(ClickTarget::Tab(Tab::Connections)));
    }
    parts.extend(flow(app).into_iter().flatten().map(|text| HeaderPart::new(text, Role::Text)));
    if app.processes > 0 {
        let text = units::counted(app.processes as u64, "process");
        parts.push(HeaderPart::new(text, Role::Text).clicked(ClickTarget::Tab(Tab::Processes)));
    }
    parts.push(HeaderPart::new(app.store.source().kind.name().to_owned(), Role::Dim));
    parts.push(HeaderPart::new(sample_intervals(app), Role::Dim).clicked(ClickTarget::Says(INTERVAL)));
    // Neither connections nor listeners: no line of the histogram counts them.
    if counts.of(TcpState::Bound) > 0 {
        parts.push(HeaderPart::new(format!("{} bound", units::count(counts.of(TcpState::Bound).into())), Role::Dim));
    }
    if counts.subflows > 0 {
        parts.push(HeaderPart::new(units::counted(counts.subflows.into(), "subflow"), Role::Dim));
    }
    parts
}

/// Which moment is shown, where it is not now; a click stops the clock or lets it run.
fn clock_part(text: String) -> HeaderPart {
    HeaderPart::new(text, Role::Accent).clicked(ClickTarget::Action("freeze"))
}

/// What moves, where there is no room for the graphs of it. Numbers keep their places, so that nothing else moves.
fn flow(app: &App) -> [Option<String>; 2] {
    if app.layout().is_some_and(|layout| layout.flow.height > 0) {
        return [None, None];
    }
    let history = app.store.history();
    let rates = history.latest_flow(FlowMeasure::Received).zip(history.latest_flow(FlowMeasure::Sent));
    let traffic = rates.map(|((received, _), (sent, _))| {
        format!("↓{:<5} ↑{:<5}", units::bytes(received), units::bytes(sent)).trim_end().to_owned()
    });
    let events = (history.samples().len() > 1)
        .then(|| format!("+{}/s −{}/s", units::per_second(app.flows.opened()), units::per_second(app.flows.closed())));
    [traffic, events]
}

/// `every 1 s`; `every 4 s (slow)` where samples take too long for the interval; `every 1 s, all 5 s` where samples of
/// everything are rarer, with what they showed late.
fn sample_intervals(app: &App) -> String {
    let wanted = app.config.settings.interval;
    let sample_intervals = app.store.sample_intervals();
    let every = sample_intervals.every.unwrap_or(wanted);
    let slow = every > wanted + wanted / SLOW_DIVISOR;
    let every = if slow { format!("every {} (slow)", rounded(every)) } else { format!("every {}", interval(wanted)) };
    let late = match sample_intervals.late {
        0 => String::new(),
        late => format!(" ({} late)", units::count(u64::from(late))),
    };
    match sample_intervals.full_every {
        Some(full_every) => format!("{every}, all {}{late}", rounded(full_every)),
        None => every,
    }
}

/// In seconds, with one digit after the point below ten.
fn rounded(time: Duration) -> String {
    let tenths = (time.as_millis() + 50) / 100;
    match (tenths / 10, tenths % 10) {
        (seconds @ 0..10, tenths @ 1..) => format!("{seconds}.{tenths} s"),
        (seconds, tenths) => format!("{} s", seconds + u128::from(tenths >= 5)),
    }
}

/// `1 s`, `250 ms`.
fn interval(interval: Duration) -> String {
    match interval.as_millis() {
        ms if ms % 1_000 == 0 => format!("{} s", ms / 1_000),
        ms => format!("{ms} ms"),
    }
}

/// What limits what is seen, the most urgent first.
fn limits(app: &App) -> Vec<HeaderPart> {
    let coverage = app.store.coverage();
    let mut parts = Vec::new();
    if app.frozen {
        let behind = units::age(app.pending.behind(app.store.at()));
        let text = format!("FROZEN {behind}, {} waiting", units::counted(app.pending.len() as u64, "sample"));
        parts.push(HeaderPart::new(text, Role::Accent).clicked(ClickTarget::Action("freeze")));
    }
    match &app.source_status {
        SourceStatus::Failed(why) => parts.push(HeaderPart::new(format!("no sample: {why}"), Role::Error)),
        SourceStatus::Ended => parts.push(HeaderPart::new("replay ended", Role::Accent)),
        SourceStatus::Starting | SourceStatus::Flowing => {}
    }
    parts.extend(host_troubles(app));
    if app.pending.is_paused() {
        parts.push(HeaderPart::new("paused", Role::Accent).clicked(ClickTarget::Says(PAUSED)));
    }
    if app.config.settings.read_only {
        parts.push(HeaderPart::new("READ-ONLY", Role::Strong).clicked(ClickTarget::Says(READ_ONLY)));
    }
    parts.extend(names(app).map(|text| HeaderPart::new(text, Role::Dim).clicked(ClickTarget::Action("names"))));
    if coverage.owners_hidden > 0 {
        let hidden = units::counted(u64::from(coverage.owners_hidden), "owner");
        let has_room = app.config.size.0 >= WHY_WIDTH_MIN;
        let why = if coverage.processes_unreadable > 0 && has_room { " (no permission)" } else { "" };
        let text = format!("{hidden} hidden{why}");
        parts.push(HeaderPart::new(text, Role::Strong).clicked(ClickTarget::Says(HIDDEN)));
    }
    parts.extend(coverage.degraded.iter().map(|why| HeaderPart::new(why.to_string(), Role::Strong)));
    if coverage.records_skipped > 0 {
        let text = format!("{} skipped", units::counted(u64::from(coverage.records_skipped), "record"));
        parts.push(HeaderPart::new(text, Role::Strong));
    }
    let target = ClickTarget::Action("namespaces");
    parts.extend(namespaces(app).map(|text| HeaderPart::new(text, Role::Dim).clicked(target)));
    parts
}

/// Whether name servers are asked, and the key that changes it; nothing where they are not, as at first.
const fn names(app: &App) -> Option<&'static str> {
    match app.config.settings.lookups {
        Lookups::Forbidden => Some("no DNS"),
        Lookups::Off => None,
        Lookups::On if app.config.settings.private_names => Some("DNS, private too (n)"),
        Lookups::On => Some("DNS (n)"),
    }
}

/// What is to be said of other network namespaces, and the key that changes it.
fn namespaces(app: &App) -> Option<String> {
    let others = app.store.coverage().other_namespaces;
    let more = || format!("+{}", units::counted(u64::from(others), "namespace"));
    match (app.config.settings.all_namespaces, others) {
        (false, 0) => None,
        (false, _) if app.config.source.kind.sees_namespaces() => Some(format!("{} (N)", more())),
        (false, _) => Some(more()),
        (true, 0) => Some("all namespaces (N)".to_owned()),
        (true, 1) => Some(format!("{} needs root (N)", more())),
        (true, _) => Some(format!("{} need root (N)", more())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_briefly_as_they_are_known() {
        let said = |ms| rounded(Duration::from_millis(ms));
        assert_eq!([0, 1_000, 1_249, 9_980, 12_400, 12_500].map(said), ["0 s", "1 s", "1.2 s", "10 s", "12 s", "13 s"]);
    }
}

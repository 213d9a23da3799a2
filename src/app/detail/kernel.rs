//! What the kernel measured of a connection, in words: queues, timer, `tcp_info`.

use std::fmt::Write;
use std::time::Duration;

use crate::app::App;
use crate::app::detail::byte_words;
use crate::app::detail::is_gone;
use crate::app::prose::{ProseLine, Section};
use crate::model::process::Owner;
use crate::model::socket::{Queues, Socket, Timer, TimerKind};
use crate::model::tcp_info::{TcpDetail, TcpInfo};
use crate::model::tcp_state::TcpState;
use crate::model::time::{CompactTimestamp, Timestamp};
use crate::store::row::SocketRow;
use crate::table::units;

pub(super) fn queues(app: &App, row: &SocketRow) -> Section {
    let socket = &row.connection.socket;
    let mut section = Section::new("Queues and timer");
    match socket.queues {
        Some(queues) if socket.is_listener() => section.lines.push(accept_queue(queues)),
        Some(queues) => {
            section.fact("to read", to_read(socket, queues.receive));
            section.known("to send", queues.send.map(to_send));
        }
        None => {}
    }
    section.known(
        "rates",
        row.connection
            .rates()
            .map(|rates| format!("{}/s in, {}/s out", rate_words(rates.received), rate_words(rates.sent))),
    );
    let timer = socket.timer.filter(|_| !is_gone(app, row));
    section.known("timer", timer.map(|timer| timer_words(timer, socket.state, app.store.at())));
    section
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, and no rate is negative")]
fn rate_words(rate: f32) -> String {
    byte_words(rate as u64)
}

fn accept_queue(queues: Queues) -> ProseLine {
    let waiting = u64::from(queues.receive);
    let Some(limit) = queues.send.map(u64::from) else {
        return ProseLine::Fact("accept queue", format!("{} connections wait to be accepted", units::count(waiting)));
    };
    let text = format!("{} of {} connections wait to be accepted", units::count(waiting), units::count(limit));
    if limit > 0 && waiting >= limit {
        return ProseLine::Strong("accept queue", format!("{text}: full, new ones are dropped"));
    }
    ProseLine::Fact("accept queue", text)
}

fn to_read(socket: &Socket, bytes: u32) -> String {
    let unread = plural_bytes(bytes);
    match (socket.state, bytes) {
        (_, 0) => "nothing waits to be read".to_owned(),
        (TcpState::CloseWait, 1) => "only the end of the stream waits to be read".to_owned(),
        (TcpState::CloseWait, _) => format!("{} and the end of the stream wait to be read", plural_bytes(bytes - 1)),
        _ if matches!(socket.owner, Owner::Unaccepted) => {
            format!("{unread} wait for a process to accept the connection")
        }
        _ => format!("{unread} arrived and the application has not read them"),
    }
}

fn to_send(bytes: u32) -> String {
    match bytes {
        0 => "everything sent was acknowledged".to_owned(),
        bytes => format!("{} sent or waiting, not acknowledged by the peer", plural_bytes(bytes)),
    }
}

fn plural_bytes(bytes: u32) -> String {
    match bytes {
        1 => "1 byte".to_owned(),
        bytes => format!("{} bytes", units::count(u64::from(bytes))),
    }
}

fn timer_words(timer: Timer, state: TcpState, now: Timestamp) -> String {
    let what = match (timer.kind, state) {
        (TimerKind::Retransmit, _) => "sends again",
        (TimerKind::KeepAlive, _) => "asks the idle peer whether it is still there",
        (TimerKind::TimeWait, TcpState::TimeWait) => "forgets the connection",
        (TimerKind::TimeWait, _) => "gives up waiting for the peer's end",
        (TimerKind::ZeroWindow, _) => "asks the peer whether it can take data again",
    };
    let when = units::lasted(timer.expires.timestamp().since(now));
    let tried = match timer.retries {
        0 => String::new(),
        1 => ", after 1 failed retry".to_owned(),
        tries => format!(", after {tries} failed retries"),
    };
    format!("{}: {what} in {when}{tried}", timer.kind.name())
}

/// `tcp_info` in words: first what every connection has, then what is only asked for here.
pub(super) fn measured(app: &App, row: &SocketRow) -> Section {
    let socket = &row.connection.socket;
    let mut section = Section::new("What the kernel measured");
    let Some(info) = socket.tcp.as_ref().filter(|_| !socket.is_listener()) else { return section };
    let detail = app.store.detail(socket.id);
    section.known("round trip", round_trip(info, detail));
    section.known(
        "payload",
        info.bytes.map(|bytes| {
            format!("{} received, {} sent and acknowledged", byte_words(bytes.received()), byte_words(bytes.sent()))
        }),
    );
    section.known("last data", last_data(info, app.store.at()));
    section.lines.push(sent_again(info, detail));
    if info.unacked > 0 {
        section.fact("in flight", format!("{} segments", units::count(info.unacked.into())));
    }
    if info.probes > 0 {
        section.lines.push(ProseLine::Strong("probes", format!("{} unanswered", info.probes)));
    }
    if let Some(detail) = detail {
        push_detail(&mut section, detail);
    }
    section
}

fn micros(us: u64) -> String {
    units::span(Duration::from_micros(us))
}

fn round_trip(info: &TcpInfo, detail: Option<&TcpDetail>) -> Option<String> {
    if info.rtt_us == 0 {
        return None;
    }
    let mut text = micros(info.rtt_us.into());
    if let Some(variance) = detail.and_then(|detail| detail.rtt_variance_us) {
        let _ = write!(text, " ± {}", micros(variance.into()));
    }
    if let Some(least) = detail.and_then(|detail| detail.rtt_min_us) {
        let _ = write!(text, ", lowest {}", micros(least.into()));
    }
    let _ = write!(text, "; sends again after {} without an answer", micros(info.rto_us.into()));
    Some(text)
}

fn last_data(info: &TcpInfo, now: Timestamp) -> Option<String> {
    let ago = |at: CompactTimestamp| {
        if at == CompactTimestamp::default() {
            "never".to_owned()
        } else {
            format!("{} ago", units::lasted(now.since(at.into())))
        }
    };
    if info.last_ack_received == CompactTimestamp::default() {
        return None;
    }
    Some(format!(
        "sent {}, received {}; peer last heard of {}",
        ago(info.last_data_sent),
        ago(info.last_data_received),
        ago(info.last_ack_received)
    ))
}

fn sent_again(info: &TcpInfo, detail: Option<&TcpDetail>) -> ProseLine {
    if info.retransmits_total == 0 {
        return ProseLine::Fact("sent again", "nothing was lost".to_owned());
    }
    let of = match detail.and_then(|detail| detail.segments_out).filter(|&out| out > 0) {
        Some(out) => {
            format!(
                " of {} ({})",
                units::count(out.into()),
                units::share(f64::from(info.retransmits_total) / f64::from(out))
            )
        }
        None => String::new(),
    };
    let text = format!("{} segments{of}", units::count(info.retransmits_total.into()));
    match info.backoff {
        0 => ProseLine::Fact("sent again", text),
        times => ProseLine::Strong("sent again", format!("{text}; now {times} time-outs in a row")),
    }
}

fn push_detail(section: &mut Section, detail: &TcpDetail) {
    section.known("congestion", congestion(detail));
    section.known(
        "peer's window",
        detail.send_window_bytes.map(|bytes| match bytes {
            0 => "closed: the peer is not reading".to_owned(),
            bytes => format!("takes {} more bytes", units::count(bytes.into())),
        }),
    );
    section
        .known("our window", detail.receive_space_bytes.map(|bytes| format!("{} bytes", units::count(bytes.into()))));
    section.known("not sent yet", detail.not_sent_bytes.filter(|&bytes| bytes > 0).map(plural_bytes));
    section.known("lost now", detail.lost.filter(|&lost| lost > 0).map(|lost| format!("{lost} segments")));
    section.known("segments", segments(detail));
    section.known("goodput", detail.delivery_rate.map(|rate| format!("{}/s when it last sent", byte_words(rate))));
    section.known("packet size", packet_size(detail));
}

fn congestion(detail: &TcpDetail) -> Option<String> {
    let window = detail.congestion_window?;
    let by = detail.congestion.as_ref().map_or(String::new(), |name| format!("{name}: "));
    let bytes = detail
        .send_mss_bytes
        .map_or(String::new(), |mss| format!(" ({})", byte_words(u64::from(mss) * u64::from(window))));
    let threshold = detail.slow_start_threshold.map_or(String::new(), |at| format!(", slow start up to {at}"));
    Some(format!("{by}{window} segments{bytes} may be in flight{threshold}"))
}

fn segments(detail: &TcpDetail) -> Option<String> {
    let (out, arrived) = (detail.segments_out?, detail.segments_in?);
    Some(format!("{} sent, {} received", units::count(out.into()), units::count(arrived.into())))
}

fn packet_size(detail: &TcpDetail) -> Option<String> {
    let mss = detail.send_mss_bytes?;
    let mtu = detail.path_mtu_bytes.map_or(String::new(), |mtu| format!(", path MTU {}", units::count(mtu.into())));
    Some(format!("{} bytes of payload{mtu}", units::count(mss.into())))
}

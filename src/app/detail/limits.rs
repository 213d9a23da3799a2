//! What holds a connection up, in words: who waits for whom, by the queues and the kernel's own accounts of time.

use std::time::Duration;

use crate::app::App;
use crate::app::prose::{ProseLine, Section};
use crate::model::process::Owner;
use crate::model::socket::{Socket, TimerKind};
use crate::model::tcp_info::{TcpDetail, TcpInfo};
use crate::model::tcp_state::TcpState;
use crate::store::row::SocketRow;
use crate::table::units;

/// From this share of the sending time on, something is called the limit.
const LIMIT_SHARE_MIN: f64 = 0.2;

/// What limits it now, and what did over its life.
pub(super) fn section(app: &App, row: &SocketRow) -> Section {
    let socket = &row.connection.socket;
    let mut section = Section::new("What holds it up");
    let open = matches!(socket.state, TcpState::Established | TcpState::CloseWait | TcpState::FinWait1);
    let Some(info) = socket.tcp.as_ref().filter(|_| open) else { return section };
    let detail = app.store.detail(socket.id);
    section.lines.push(now(socket, info, detail));
    section.known("so far", detail.and_then(over_its_life));
    section
}

/// The first of these that is so, the most telling first.
fn now(socket: &Socket, info: &TcpInfo, detail: Option<&TcpDetail>) -> ProseLine {
    let queues = socket.queues.unwrap_or_default();
    let probing = socket.timer.is_some_and(|timer| timer.kind == TimerKind::ZeroWindow);
    let closed = detail.and_then(|detail| detail.send_window_bytes) == Some(0) && queues.send.unwrap_or(0) > 0;
    if probing || closed {
        return ProseLine::Strong("now", "the peer's window is closed: its program does not read".to_owned());
    }
    if info.backoff > 0 {
        let text = format!("the peer does not answer: {} time-outs in a row", info.backoff);
        return ProseLine::Strong("now", text);
    }
    if matches!(socket.owner, Owner::Unaccepted) {
        return ProseLine::Fact("now", "nobody has accepted it".to_owned());
    }
    if queues.receive > 1 {
        return ProseLine::Fact("now", "our program: data has arrived and is not read".to_owned());
    }
    let text = match queues.send {
        Some(0) => "nothing: all is sent and acknowledged; the programs send nothing (application-limited)",
        Some(_) if info.unacked > 0 => "the network: data is on its way and not acknowledged yet",
        Some(_) => "data waits to be sent",
        None => "not known: this source has no queues",
    };
    ProseLine::Fact("now", text.to_owned())
}

/// Shares of the time in which data was to be sent (`tcpi_busy_time` and its parts).
#[expect(clippy::cast_precision_loss, reason = "a share of a time in microseconds needs no exactness")]
fn over_its_life(detail: &TcpDetail) -> Option<String> {
    let busy = detail.busy_us.filter(|&us| us > 0)? as f64;
    let share = |us: Option<u64>| us.map_or(0.0, |us| us as f64 / busy).min(1.0);
    let (window, buffer) = (share(detail.receive_window_limited_us), share(detail.send_buffer_limited_us));
    let busy_for = units::span(Duration::from_micros(detail.busy_us?));
    let what = match (window, buffer) {
        _ if window.max(buffer) < LIMIT_SHARE_MIN => {
            return Some(format!(
                "had data to send for {busy_for}; neither the peer's window nor our buffer held it up"
            ));
        }
        _ if window >= buffer => "the peer's window (its program reads slowly)",
        _ => "our send buffer (a larger SO_SNDBUF would help)",
    };
    Some(format!(
        "had data to send for {busy_for}, held up most by {what}: window {}, buffer {} of that time",
        units::share(window),
        units::share(buffer)
    ))
}

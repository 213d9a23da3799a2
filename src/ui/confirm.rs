//! The last question before a signal is sent or a socket is closed: names everything, and shows exactly what will be done.

use crate::app::detail::wrap;
use crate::app::keymap::{Scope, footer};
use crate::app::mode::{Confirm, ConfirmClose, Stage};
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

const WIDTH: u16 = 70;
const LABEL_WIDTH: u16 = 10;

/// Draws it.
pub fn draw(painter: &mut Painter<'_>, confirm: &Confirm) {
    let Some(kill) = confirm.kill() else { return };
    let area = painter.area();
    let width = WIDTH.min(area.width.saturating_sub(6));
    let room = width.saturating_sub(LABEL_WIDTH);
    let mut lines: Vec<(&str, String, Role)> = Vec::new();
    let mut add = |label: &'static str, text: &str, role: Role, most: usize| {
        for (at, part) in wrap(text, usize::from(room)).into_iter().take(most).enumerate() {
            lines.push((if at == 0 { label } else { "" }, part, role));
        }
    };
    add("process", &format!("{} · pid {}", kill.name, kill.process.pid), Role::Strong, 1);
    add("user", &confirm.user, Role::Text, 1);
    add("command", confirm.process.command.as_str(), Role::Text, 2);
    add("holds", &confirm.holds, Role::Text, 3);
    add(
        "does",
        &format!("sends {} to pid {}: {}", kill.signal, kill.process.pid, kill.signal.row().about),
        Role::Alarm,
        2,
    );
    let scope = match confirm.stage {
        Stage::Ask => Scope::Confirm,
        Stage::AskAgain => Scope::ConfirmKill,
    };
    let title = match confirm.stage {
        Stage::Ask => format!("Send {}?", kill.signal),
        Stage::AskAgain => "KILL cannot be caught: nothing is saved. Sure?".to_owned(),
    };
    draw_lines(painter, width, &title, &lines, scope);
}

/// Draws the question before a socket is closed.
pub fn draw_close(painter: &mut Painter<'_>, confirm: &ConfirmClose) {
    let width = WIDTH.min(painter.area().width.saturating_sub(6));
    let room = usize::from(width.saturating_sub(LABEL_WIDTH));
    let mut lines = Vec::new();
    for (at, (label, text)) in confirm.lines.iter().enumerate() {
        let role = match *label {
            "here" | "peer" => Role::Alarm,
            _ if at == 0 => Role::Strong,
            _ => Role::Text,
        };
        for (at, part) in wrap(text, room).into_iter().take(2).enumerate() {
            lines.push((if at == 0 { *label } else { "" }, part, role));
        }
    }
    draw_lines(painter, width, "Close this socket?", &lines, Scope::ConfirmClose);
}

fn draw_lines(painter: &mut Painter<'_>, width: u16, title: &str, lines: &[(&str, String, Role)], scope: Scope) {
    let height = u16::try_from(lines.len()).unwrap_or(8) + 2;
    let inside = painter.popup(width, height, title);
    for ((label, text, role), y) in lines.iter().zip(inside.y..inside.bottom()) {
        painter.put(inside.x, y, label, LABEL_WIDTH, Role::Dim);
        painter.put(inside.x + LABEL_WIDTH, y, text, inside.width.saturating_sub(LABEL_WIDTH), *role);
    }
    let mut x = inside.x;
    for binding in footer(scope) {
        let keys: Vec<String> = binding.keys.iter().map(ToString::to_string).collect();
        let y = inside.bottom().saturating_sub(1);
        x = painter.put(x, y, &keys.join(" "), inside.width, Role::Accent) + 1;
        x = painter.put(x, y, binding.name, inside.width, Role::Text) + 3;
    }
}

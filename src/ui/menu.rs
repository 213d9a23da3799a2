//! Menus: the column to sort by, the owner of a shared socket, the signal.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::mode::Mode;
use crate::app::panels::table::{ColumnHead, SortedTable, arrow};
use crate::model::action::SIGNALS;
use crate::table::fit::cells;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Draws the menu that is open.
pub fn draw(painter: &mut Painter<'_>, app: &App) {
    match &app.mode {
        Mode::SortMenu { line } => {
            let table = app.panel().table();
            let sort = table.map(SortedTable::sort);
            let heads = table.map(|table| table.columns().heads()).unwrap_or_default();
            let label = |(index, head): (usize, &ColumnHead)| {
                let mark = sort.filter(|sort| sort.column == index).map_or(' ', |sort| arrow(sort.order));
                (format!("{mark} {}", head.key), head.about.to_owned())
            };
            let lines: Vec<_> = heads.iter().enumerate().map(label).collect();
            draw_lines(painter, "Sort by · Enter again reverses the sort", &lines, *line);
        }
        Mode::SocketMenu { sockets, line } => {
            let lines: Vec<_> = sockets.iter().map(|(_, texts)| texts.clone()).collect();
            draw_lines(painter, "Several sockets: which one?", &lines, *line);
        }
        Mode::OwnerMenu { owners, line, .. } => {
            let label = |process: &std::sync::Arc<crate::model::process::Process>| {
                (format!("{:>7}  {}", process.id.pid, process.name), process.command.to_string())
            };
            let lines: Vec<_> = owners.iter().map(label).collect();
            draw_lines(painter, "Several processes: which one?", &lines, *line);
        }
        Mode::SignalMenu { process, line, .. } => {
            let lines: Vec<_> = SIGNALS.iter().map(|row| (row.name.to_owned(), row.about.to_owned())).collect();
            let title = format!("Signal to {}[{}]", process.name, process.id.pid);
            draw_lines(painter, &title, &lines, *line);
        }
        _ => {}
    }
}

fn draw_lines(painter: &mut Painter<'_>, title: &str, lines: &[(String, String)], selected: usize) {
    let widest = |part: fn(&(String, String)) -> &String| lines.iter().map(|line| cells(part(line))).max().unwrap_or(0);
    let label_width = u16::try_from(widest(|line| &line.0)).unwrap_or(20);
    let about_width = u16::try_from(widest(|line| &line.1)).unwrap_or(60);
    let title_width = u16::try_from(cells(title)).unwrap_or(40);
    let area = painter.area();
    let width = (label_width + 2 + about_width).max(title_width + 2).min(area.width.saturating_sub(8));
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height.saturating_sub(6));
    let inside = painter.popup(width, height, title);
    let visible = usize::from(inside.height);
    // The cursor stays in the middle where the menu is longer than the screen.
    let first = selected.saturating_sub(visible / 2).min(lines.len().saturating_sub(visible));
    for ((index, (label, about)), y) in lines.iter().enumerate().skip(first).zip(inside.y..inside.bottom()) {
        painter.put(inside.x, y, label, label_width.min(inside.width), Role::Text);
        let room = inside.width.saturating_sub(label_width + 2);
        painter.put(inside.x + label_width + 2, y, about, room, Role::Dim);
        if index == selected {
            let style = Role::Selected.style(painter.theme());
            painter.restyle(Rect { x: inside.x - 1, y, width: inside.width + 2, height: 1 }, style);
        }
    }
}

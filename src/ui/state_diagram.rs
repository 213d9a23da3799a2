//! The diagram of TCP states: every way in thin lines, the path taken in thick ones, the state now reversed.
//!
//! Lines are kept as the four arms of each cell, so that where they meet the right corner follows by itself.

use std::collections::HashMap;

use ratatui::layout::Rect;

use crate::app::diagram::{Cell, DiagramNode, Drawing, Wire, Words, edge};
use crate::app::path::{StatePath, lasted_words};
use crate::model::tcp_state::TcpState;
use crate::table::cut::cells;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// The character for the arms up, right, down and left of a cell, each 0 (none), 1 (thin) or 2 (thick), as digits of a
/// number to the base of three (U+2500 to U+257F).
const LINES: &str = " ╴╸╷┐┑╻┒┓╶─╾┌┬┭┎┰┱╺╼━┍┮┯┏┲┳╵┘┙│┤┥╽┧┪└┴┵├┼┽┟╁╅┕┶┷┝┾┿┢╆╈╹┚┛╿┦┩┃┨┫┖┸┹┞╀╃┠╂╉┗┺┻┡╄╇┣╊╋";

const UP: usize = 0;
const RIGHT: usize = 1;
const DOWN: usize = 2;
const LEFT: usize = 3;

/// The lines of a drawing with a path in it.
pub struct Picture<'a> {
    drawing: &'static Drawing,
    path: &'a StatePath,
    arms: HashMap<Cell, [u8; 4]>,
    heads: HashMap<Cell, (char, bool)>,
}

impl<'a> Picture<'a> {
    /// `drawing` with `path` lit in it.
    pub fn new(drawing: &'static Drawing, path: &'a StatePath) -> Self {
        let mut picture = Self { drawing, path, arms: HashMap::new(), heads: HashMap::new() };
        for (node, middle) in drawing.nodes.iter().filter(|_| drawing.box_width > 0) {
            picture.add_box(*middle, is_lit(path, *node));
        }
        for wire in drawing.wires {
            picture.add_wire(wire);
        }
        picture
    }

    /// How many cells it takes.
    pub const fn width(&self) -> u16 {
        self.drawing.width
    }

    /// Draws line `row` of it at `x`, `y`.
    pub fn draw(&self, painter: &mut Painter<'_>, (x, y): (u16, u16), row: u16) {
        for column in 0..self.drawing.width {
            if let Some((text, lit)) = self.line_at((column, row)) {
                painter.put(x + column, y, text.encode_utf8(&mut [0; 4]), 1, line_role(lit));
            }
        }
        for wire in self.drawing.wires {
            self.draw_words(painter, (x, y), row, wire);
        }
        for (node, (middle, _)) in self.drawing.nodes.iter().filter(|(_, (_, line))| *line == row) {
            self.draw_node(painter, (x, y), *node, *middle);
        }
    }

    fn add_box(&mut self, (middle, y): Cell, lit: bool) {
        let (left, right) = (middle - self.drawing.box_width / 2, middle + self.drawing.box_width / 2 - 1);
        let corners = [(left, y - 1), (right, y - 1), (right, y + 1), (left, y + 1), (left, y - 1)];
        self.add_line(&corners, lit);
    }

    fn add_wire(&mut self, wire: &Wire) {
        let lit = takes(self.path, wire);
        self.add_line(wire.points, lit);
        if let (true, [.., before, last]) = (wire.arrow, wire.points) {
            let head = match (last.0.cmp(&before.0), last.1.cmp(&before.1)) {
                (std::cmp::Ordering::Greater, _) => '►',
                (std::cmp::Ordering::Less, _) => '◄',
                _ => '▼',
            };
            let was_lit = self.heads.get(last).is_some_and(|(_, lit)| *lit);
            self.heads.insert(*last, (head, lit || was_lit));
        }
    }

    fn add_line(&mut self, points: &[Cell], lit: bool) {
        for pair in points.windows(2) {
            let ((mut x, mut y), end) = (pair[0], pair[1]);
            while (x, y) != end {
                let (next, arm) = match () {
                    () if x < end.0 => ((x + 1, y), RIGHT),
                    () if x > end.0 => ((x - 1, y), LEFT),
                    () if y < end.1 => ((x, y + 1), DOWN),
                    () => ((x, y - 1), UP),
                };
                self.add_arm((x, y), arm, lit);
                self.add_arm(next, (arm + 2) % 4, lit);
                (x, y) = next;
            }
        }
    }

    fn add_arm(&mut self, cell: Cell, arm: usize, lit: bool) {
        let arms = self.arms.entry(cell).or_default();
        arms[arm] = arms[arm].max(1 + u8::from(lit));
    }

    fn line_at(&self, cell: Cell) -> Option<(char, bool)> {
        if let Some(head) = self.heads.get(&cell) {
            return Some(*head);
        }
        let arms = self.arms.get(&cell)?;
        let number = arms.iter().fold(0, |number, arm| number * 3 + usize::from(*arm));
        Some((LINES.chars().nth(number)?, arms.contains(&2)))
    }

    fn draw_words(&self, painter: &mut Painter<'_>, (x, y): (u16, u16), row: u16, wire: &Wire) {
        let (Some(words), Some(edge)) = (wire.words, edge(wire.from, wire.to)) else { return };
        let both =
            if edge.action.is_empty() { edge.event.to_owned() } else { format!("{} / {}", edge.event, edge.action) };
        let width = u16::try_from(cells(&both)).unwrap_or(0);
        let role = if takes(self.path, wire) { Role::Text } else { Role::Dim };
        match words {
            Words::From((column, line)) if line == row => drop(painter.put(x + column, y, &both, width, role)),
            Words::UpTo((column, line)) if line == row => {
                painter.put(x + (column + 1).saturating_sub(width), y, &both, width, role);
            }
            Words::From(_) | Words::UpTo(_) => {}
        }
    }

    /// The name of a node, with the time spent in it.
    fn draw_node(&self, painter: &mut Painter<'_>, (x, y): (u16, u16), node: DiagramNode, middle: u16) {
        let step = match node {
            DiagramNode::In(state) => self.path.step(state),
            DiagramNode::Start | DiagramNode::End => None,
        };
        let name = node.name();
        let time = step.map(lasted_words).unwrap_or_default();
        let role = self.node_role(node);
        let name_width = u16::try_from(name.len()).unwrap_or(0);
        let start = if self.drawing.box_width == 0 || time.is_empty() {
            x + middle - name_width / 2
        } else {
            let both = name_width + 1 + u16::try_from(cells(&time)).unwrap_or(0);
            x + (middle - both.min(self.drawing.box_width - 2) / 2)
        };
        // A line that ends under the name leaves nothing of its looks.
        painter.clear(Rect::new(start, y, name_width, 1));
        let after = painter.put(start, y, name, name_width, role);
        painter.put(after + 1, y, &time, 7, if self.is_now(node) { Role::Strong } else { Role::Text });
    }

    fn node_role(&self, node: DiagramNode) -> Role {
        match node {
            _ if self.is_now(node) => Role::Selected,
            DiagramNode::In(state) if is_lit(self.path, node) => Role::of_phase(state.phase()),
            _ if is_lit(self.path, node) => Role::Text,
            _ => Role::Dim,
        }
    }

    fn is_now(&self, node: DiagramNode) -> bool {
        match node {
            DiagramNode::In(state) => self.path.now() == Some(state),
            DiagramNode::End => self.path.ended,
            DiagramNode::Start => false,
        }
    }
}

const fn line_role(lit: bool) -> Role {
    if lit { Role::Accent } else { Role::Dim }
}

fn is_lit(path: &StatePath, node: DiagramNode) -> bool {
    match node {
        DiagramNode::Start => true,
        DiagramNode::In(state) => path.step(state).is_some(),
        DiagramNode::End => path.ended || path.now() == Some(TcpState::Close),
    }
}

/// Whether the path goes along the wire: from one of its states to the next.
fn takes(path: &StatePath, wire: &Wire) -> bool {
    let place = |node| match node {
        DiagramNode::Start => Some(0),
        DiagramNode::In(state) => path.steps.iter().position(|step| step.state == state).map(|at| at + 1),
        DiagramNode::End => path.ended.then_some(path.steps.len() + 1),
    };
    matches!((place(wire.from), place(wire.to)), (Some(from), Some(to)) if to == from + 1)
}

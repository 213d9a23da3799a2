//! The help: this tab's keys first, then every key under where it works, what the marks mean, and filters to learn from. What is
//! typed leaves only the lines that have it.

use crate::app::binding::{Binding, KeyContext};
use crate::app::keymap::remap::Keymap;
use crate::app::keymap::{SECTIONS, bindings, section};
use crate::app::legend::MARKS;
use crate::table::cut::cells;
use crate::table::filter::cheat_sheet::CHEAT_SHEET;
use crate::table::filter::saved::SavedFilters;

/// From this width on there are two columns.
const TWO_COLUMNS_WIDTH_MIN: u16 = 116;
/// Cells of the keys, at least.
const LABEL_WIDTH_MIN: usize = 14;

/// A line of the help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelpLine {
    /// Between sections.
    Blank,
    /// The heading of a section.
    Title(String),
    /// A key, a mark or a filter, and what is to be known of it.
    Entry {
        /// The key, mark or filter.
        label: String,
        /// What it does, means or finds.
        about: String,
        /// Cells of the label, the same in all of its section.
        label_width: u16,
    },
}

/// Every line of the help that has `search`, for the page on which `context` decides what acts; `title` is its name.
pub fn lines(title: &str, context: &KeyContext, keymap: &Keymap, saved: &SavedFilters, search: &str) -> Vec<HelpLine> {
    let key_line = |binding: &'static Binding| {
        let keys: Vec<String> = keymap.keys(binding).iter().map(ToString::to_string).collect();
        (keys.join(" "), binding.help.to_owned())
    };
    let here =
        bindings().filter(|binding| binding.on.acts(context) && (binding.on.is_restricted() || binding.footer > 0));
    let mut sections = Vec::new();
    // It repeats what stands below, which one who searches does not want.
    if search.is_empty() {
        sections.push((format!("{title}: what can be done here"), here.map(key_line).collect::<Vec<_>>()));
    }
    for (index, (title, _)) in SECTIONS.iter().enumerate() {
        let allowed = section(index).filter(|binding| binding.on.is_allowed(context.is_read_only));
        sections.push(((*title).to_owned(), allowed.map(key_line).collect()));
    }
    let marks = MARKS.iter().map(|row| (row.marks.to_owned(), row.about.to_owned()));
    sections.push(("Marks".to_owned(), marks.collect()));
    let sheet = CHEAT_SHEET.iter().map(|(filter, about)| ((*filter).to_owned(), (*about).to_owned()));
    sections.push(("Filters".to_owned(), sheet.collect()));
    let saved: Vec<_> = saved.iter().map(|(name, text)| (format!("@{name}"), text.to_owned())).collect();
    sections.push(("Saved filters".to_owned(), saved));
    let mut lines = Vec::new();
    for (title, entries) in sections {
        push_section(&mut lines, title, entries, search);
    }
    lines
}

fn push_section(lines: &mut Vec<HelpLine>, title: String, mut entries: Vec<(String, String)>, search: &str) {
    let search = search.to_lowercase();
    entries.retain(|(label, about)| [label, about].iter().any(|text| text.to_lowercase().contains(&search)));
    if entries.is_empty() {
        return;
    }
    let widest = entries.iter().map(|(label, _)| cells(label) + 1).max().unwrap_or(0);
    let label_width = u16::try_from(widest.max(LABEL_WIDTH_MIN)).unwrap_or(u16::MAX);
    lines.push(HelpLine::Title(title));
    lines.extend(entries.into_iter().map(|(label, about)| HelpLine::Entry { label, about, label_width }));
    lines.push(HelpLine::Blank);
}

/// The lines as they stand side by side on a screen of `width`: in two columns that end at a section, where there is room.
pub fn columns(lines: &[HelpLine], width: u16) -> Vec<&[HelpLine]> {
    if width < TWO_COLUMNS_WIDTH_MIN {
        return vec![lines];
    }
    let ends = (1..=lines.len()).filter(|at| lines[at - 1] == HelpLine::Blank);
    let split = ends.min_by_key(|at| (*at).max(lines.len() - at)).unwrap_or(lines.len());
    let (left, right) = lines.split_at(split);
    vec![left, right]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::binding::KeyScope;
    use crate::app::tabs::TABS;

    fn of(search: &str, width: u16) -> (Vec<HelpLine>, usize) {
        let keymap = Keymap::default();
        let mut saved = SavedFilters::default();
        saved.save("leaks", "state:close-wait").expect("valid");
        let context = TABS[0].key_context(KeyScope::Table, false);
        let lines = lines(TABS[0].title, &context, &keymap, &saved, search);
        let len = columns(&lines, width).iter().map(|column| column.len()).max().unwrap_or(0);
        (lines, len)
    }

    #[test]
    fn this_tab_stands_first_and_every_key_mark_and_filter_is_there() {
        let (lines, len) = of("", 80);
        assert_eq!(lines[0], HelpLine::Title("Connections: what can be done here".to_owned()));
        assert_eq!(len, lines.len());
        let has =
            |wanted: &str| lines.iter().any(|line| matches!(line, HelpLine::Entry { about, .. } if about == wanted));
        assert!(bindings().all(|binding| has(binding.help)));
        assert!(MARKS.iter().all(|row| has(row.about)) && CHEAT_SHEET.iter().all(|(_, about)| has(about)));
        assert!(has("state:close-wait"));
        let (_, narrower) = of("", 120);
        assert!(narrower < len && narrower >= len.div_ceil(2), "two columns of about one height");
    }

    #[test]
    fn what_is_typed_leaves_the_lines_that_have_it() {
        let (lines, _) = of("COLUMN", 80);
        let entries = lines.iter().filter_map(|line| match line {
            HelpLine::Entry { about, .. } => Some(about.as_str()),
            _ => None,
        });
        assert!(entries.clone().count() > 1 && entries.clone().all(|about| about.contains("column")), "{lines:?}");
        assert!(of("no such thing", 80).0.is_empty());
    }
}

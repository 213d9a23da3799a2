//! Saves what was changed on the screen to the config file: the file is read, what would change in it is shown line by line, and
//! only a yes writes it.

use std::collections::BTreeMap;

use toml::Value;

use crate::app::App;
use crate::app::config_diff::{SaveConfig, diff};
use crate::app::config_text::{self, ConfigChange};
use crate::app::effect::{ConfigWrite, Effect};
use crate::app::mode::Mode;
use crate::app::notice::NoticeLevel;
use crate::app::panels::table::SortedTable;
use crate::app::screen_setup::{GroupSetup, SpanSetup, column_texts, sort_text};
use crate::app::scroll::{Scroll, ScrollExtent};
use crate::model::text::DisplayText;

/// Lines of the screen that stay free above and below the question, with its border and its keys.
const LINES_AROUND: u16 = 6;

/// What the configuration would say of the screen: section and key, and the value, or that the key is not there.
type ConfigEntries = BTreeMap<(&'static str, String), Option<Value>>;

/// What the configuration says already.
#[derive(Debug, Default)]
pub(super) struct SavedEntries(ConfigEntries);

impl App {
    /// What the screen shows now is what the configuration says.
    pub(super) fn mark_saved(&mut self) {
        self.saved = SavedEntries(self.config_entries());
    }

    fn config_entries(&self) -> ConfigEntries {
        let text = |text: &str| Some(Value::String(text.to_owned()));
        let mut entries = ConfigEntries::new();
        let mut put = |section, key: &str, value| drop(entries.insert((section, key.to_owned()), value));
        let theme = self.config.themes.themes.get(self.chosen_theme());
        put("", "theme", theme.and_then(|theme| text(theme.name.as_str())));
        put("", "interval", Some(seconds(self.config.settings.interval.as_millis())));
        put("", "group", text(GroupSetup(self.panels.connections.chosen_folding()).name()));
        put("", "span", text(SpanSetup(self.panels.states.span).name()));
        for (name, filter) in self.config.settings.filters.iter() {
            put("filters", name, text(filter));
        }
        self.panels.each_table(|table: &dyn SortedTable| {
            let (name, columns) = (table.name(), table.columns());
            if !name.is_empty() {
                let chosen = columns.is_chosen().then(|| column_texts(name, &columns.chosen()));
                put("columns", name, chosen.map(|texts| Value::Array(texts.into_iter().map(Value::String).collect())));
                put("sort", name, sort_text(name, table.sort()).map(Value::String));
            }
        });
        entries
    }

    /// What was changed on the screen since it started, or since it was saved.
    fn config_changes(&self) -> Vec<ConfigChange> {
        let entries = self.config_entries().into_iter();
        let changed = entries.filter(|(place, value)| self.saved.0.get(place) != Some(value));
        changed.map(|((section, key), value)| ConfigChange { section, key, value }).collect()
    }

    /// Asks for the config file, to show what saving would change in it.
    pub(super) fn save_config(&mut self) -> Vec<Effect> {
        if self.config.config_path.is_none() {
            return self.say(NoticeLevel::Bad, "there is no config file to save to; name one with --config FILE");
        }
        if self.config_changes().is_empty() {
            return self.say(NoticeLevel::Plain, "nothing was changed on the screen, so there is nothing to save");
        }
        vec![Effect::ReadConfig]
    }

    /// The config file was read: shows what would change, unless something else has been opened since.
    pub(super) fn on_config_read(&mut self, read: Result<Option<String>, DisplayText>) -> Vec<Effect> {
        if !matches!(self.mode, Mode::Normal) {
            return Vec::new();
        }
        let before = match read {
            Ok(before) => before,
            Err(why) => return self.say(NoticeLevel::Bad, why),
        };
        let old = before.clone().unwrap_or_default();
        let Some(path) = self.config.config_path.clone() else { return Vec::new() };
        match config_text::changed(&old, &self.config_changes()) {
            Err(why) => self.say(NoticeLevel::Bad, format!("{path}: {why}").as_str()),
            Ok(text) if text == old => {
                self.mark_saved();
                self.say(NoticeLevel::Plain, format!("{path} says all of it already").as_str())
            }
            Ok(text) => {
                let (diff, write) = (diff(&old, &text), ConfigWrite { text, before });
                self.mode = Mode::SaveConfig(SaveConfig { path, diff, write, scroll: Scroll::default() });
                self.questions += 1;
                self.dirty = true;
                Vec::new()
            }
        }
    }

    /// How long the question is, and how much of it is on the screen.
    pub fn save_config_extent(&self, save: &SaveConfig) -> ScrollExtent {
        let room = usize::from(self.config.size.1.saturating_sub(LINES_AROUND));
        ScrollExtent { len: save.diff.len(), height: save.diff.len().min(room).max(1) }
    }

    /// The yes to the question.
    pub(super) fn confirm_save(&mut self) -> Vec<Effect> {
        match std::mem::take(&mut self.mode) {
            Mode::SaveConfig(save) => vec![Effect::WriteConfig(save.write)],
            other => {
                self.mode = other;
                Vec::new()
            }
        }
    }

    /// The config file was written, or not.
    pub(super) fn on_config_written(&mut self, written: Result<(), DisplayText>) -> Vec<Effect> {
        match written {
            Ok(()) => {
                self.mark_saved();
                let path = self.config.config_path.clone().unwrap_or_else(|| "the config file".into());
                self.say(NoticeLevel::Good, format!("saved to {path}; the next start has it").as_str())
            }
            Err(why) => self.say(NoticeLevel::Bad, why),
        }
    }
}

/// A time of so many milliseconds, as the configuration writes it: in seconds.
#[expect(clippy::cast_precision_loss, reason = "an interval is a minute at most")]
fn seconds(millis: u128) -> Value {
    match i64::try_from(millis / 1_000) {
        Ok(whole) if millis.is_multiple_of(1_000) => Value::Integer(whole),
        _ => Value::Float(millis as f64 / 1_000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_seconds() {
        assert_eq!([1_000, 500, 60_000].map(|millis| seconds(millis).to_string()), ["1", "0.5", "60"]);
    }
}

//! Which keys each binding has: those of the table, changed by `[keys]` of the configuration.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::app::binding::{Binding, KeyScope};
use crate::app::keymap::key::{KeyStroke, UnknownKey};
use crate::app::keymap::{bindings, is_fixed};

/// The keys of every binding.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, Vec<String>>")]
pub struct Keymap {
    /// One for each of [`bindings`], in their order.
    keys: Vec<Vec<KeyStroke>>,
}

/// Why `[keys]` of the configuration cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemapError {
    /// No binding has this action.
    #[error("[keys]: unknown action '{}'; conntop keys --format json lists the actions", .0.escape_default())]
    UnknownAction(String),
    /// A key that does not exist.
    #[error("[keys] {0}: {1}")]
    UnknownKey(&'static str, UnknownKey),
    /// The keys of this action cannot be changed.
    #[error("[keys] {0}: the keys of this action are fixed; leave it out")]
    Fixed(&'static str),
    /// The action would be left without a key.
    #[error("[keys] {0}: this action needs at least one key")]
    NeedsKey(&'static str),
    /// The key types text where the action works.
    #[error("[keys] {0}: key '{1}' types text where this action works; write one such as ctrl-k or f9")]
    TypesText(&'static str, KeyStroke),
    /// Two actions, or one twice, have the same key in the same place.
    #[error("[keys]: key '{0}' is given to both {1} and {2}; give each its own")]
    SameKey(KeyStroke, &'static str, &'static str),
}

impl Default for Keymap {
    /// The keys of the table.
    fn default() -> Self {
        Self { keys: bindings().map(|binding| binding.keys.to_vec()).collect() }
    }
}

impl TryFrom<BTreeMap<String, Vec<String>>> for Keymap {
    type Error = RemapError;

    fn try_from(table: BTreeMap<String, Vec<String>>) -> Result<Self, RemapError> {
        let mut keymap = Self::default();
        for (action, names) in table {
            let found = bindings().zip(&mut keymap.keys).find(|(binding, _)| binding.action == action);
            let Some((binding, entry)) = found else { return Err(RemapError::UnknownAction(action)) };
            *entry = keys(binding, &names)?;
        }
        keymap.check_unique()?;
        Ok(keymap)
    }
}

/// The keys that `names` gives to `binding`.
fn keys(binding: &Binding, names: &[String]) -> Result<Vec<KeyStroke>, RemapError> {
    let action = binding.action;
    if is_fixed(binding) {
        return Err(RemapError::Fixed(action));
    }
    if names.is_empty() && binding.leads_back() {
        return Err(RemapError::NeedsKey(action));
    }
    let parsed = names.iter().map(|name| name.parse().map_err(|error| RemapError::UnknownKey(action, error)));
    let keys: Vec<KeyStroke> = parsed.collect::<Result<_, _>>()?;
    let types_text = binding.on.scopes.iter().any(|scope| scope.takes_text());
    match keys.iter().find(|key| types_text && key.typed().is_some()) {
        Some(key) => Err(RemapError::TypesText(action, *key)),
        None => Ok(keys),
    }
}

impl Keymap {
    /// The keys of `binding`; the footer shows the first.
    pub fn keys(&self, binding: &Binding) -> &[KeyStroke] {
        let row = bindings().position(|row| row.action == binding.action);
        row.and_then(|row| self.keys.get(row)).map_or(&[], Vec::as_slice)
    }

    /// `text` with the first key of each action that it names as `‹action›`. An action without a key keeps its name.
    pub fn fill(&self, text: &str) -> String {
        let mut parts = text.split('‹');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (action, rest) = part.split_once('›').unwrap_or((part, ""));
            let row = bindings().position(|row| row.action == action);
            match row.and_then(|row| self.keys.get(row)) {
                Some(keys) => match keys.first() {
                    Some(key) => filled.push_str(&key.to_string()),
                    None => filled.extend(["'", action, "'"]),
                },
                None => filled.extend(["‹", part]),
            }
            if row.is_some() {
                filled.push_str(rest);
            }
        }
        filled
    }

    /// The binding that `key` has in `scope`.
    pub fn binding(&self, scope: KeyScope, key: KeyStroke) -> Option<&'static Binding> {
        let mut rows = bindings().zip(&self.keys);
        rows.find(|(row, keys)| row.on.scopes.contains(&scope) && keys.contains(&key)).map(|(row, _)| row)
    }

    fn check_unique(&self) -> Result<(), RemapError> {
        let mut bound = BTreeMap::new();
        for (row, keys) in bindings().zip(&self.keys) {
            for (scope, key) in row.on.scopes.iter().flat_map(|scope| keys.iter().map(move |key| (*scope, *key))) {
                if let Some(other) = bound.insert((scope, key.to_string()), row.action) {
                    return Err(RemapError::SameKey(key, other, row.action));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::keymap::key::{char, function};

    fn remapped(table: &[(&str, &[&str])]) -> Result<Keymap, String> {
        let row = |(action, keys): &(&str, &[&str])| {
            ((*action).to_owned(), keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>())
        };
        Keymap::try_from(table.iter().map(row).collect::<BTreeMap<_, _>>()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_action_has_the_keys_that_the_configuration_gives_it_and_no_others() {
        let keymap = remapped(&[("kill", &["D", "f8"]), ("span", &[])]).expect("valid");
        let action = |key| keymap.binding(KeyScope::Table, key).map(|binding| binding.action);
        assert_eq!(action(char('D')), Some("kill"));
        assert_eq!(action(function(8)), Some("kill"));
        assert_eq!((action(char('K')), action(function(9)), action(char('w'))), (None, None, None));
        assert_eq!(action(char('j')), Some("down"));
    }

    #[test]
    fn texts_name_the_keys_in_force() {
        let keymap = remapped(&[("kill", &["D", "f8"]), ("span", &[])]).expect("valid");
        assert_eq!(keymap.fill("‹kill› kills, ‹open› opens ‹span›"), "D kills, Enter opens 'span'");
        assert_eq!(keymap.fill("a ‹nosuch› and ‹ as they are"), "a ‹nosuch› and ‹ as they are");
    }

    #[test]
    fn two_actions_may_exchange_their_keys() {
        let keymap = remapped(&[("freeze", &["w"]), ("span", &["z"])]).expect("valid");
        assert_eq!(keymap.binding(KeyScope::Table, char('w')).map(|binding| binding.action), Some("freeze"));
    }

    #[test]
    fn what_is_wrong_is_one_sentence() {
        for (table, sentence) in [
            (("kil", &["K"][..]), "[keys]: unknown action 'kil'; conntop keys --format json lists the actions"),
            (
                ("kill", &["f99"]),
                "[keys] kill: unknown key 'f99'; write a character, such as K, or ctrl-k, f9, enter, tab, pgup",
            ),
            (("kill", &["D", "D"]), "[keys]: key 'D' is given to both kill and kill; give each its own"),
            (("kill", &["j"]), "[keys]: key 'j' is given to both down and kill; give each its own"),
            (("kill", &["ctrl-c"]), "[keys]: key '^C' is given to both kill and quit-anywhere; give each its own"),
            (("confirm-kill", &["x"]), "[keys] confirm-kill: the keys of this action are fixed; leave it out"),
            (("quit-anywhere", &["f12"]), "[keys] quit-anywhere: the keys of this action are fixed; leave it out"),
            (("back", &[]), "[keys] back: this action needs at least one key"),
            (
                ("redraw", &["x"]),
                "[keys] redraw: key 'x' types text where this action works; write one such as ctrl-k or f9",
            ),
        ] {
            assert_eq!(remapped(&[table]), Err(sentence.to_owned()));
        }
    }
}

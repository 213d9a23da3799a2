//! What the screens say of keys and marks.

use std::collections::BTreeMap;

use crossterm::event::{KeyEvent, KeyModifiers};

use super::*;
use crate::app::binding::Binding;
use crate::app::keymap::bindings;
use crate::app::keymap::key::KeyStroke;
use crate::app::keymap::remap::{Keymap, RemapError};
use crate::app::legend;

#[test]
fn every_mark_on_the_screens_is_in_the_legend() {
    for (name, keys) in scenes() {
        for size in [(80, 24), (200, 60)] {
            let mut app = app(size);
            press(&mut app, &keys);
            let unknown: String = screen(&app)
                .chars()
                .filter(|mark| !mark.is_ascii() && !mark.is_alphanumeric() && !legend::explains(*mark))
                .collect();
            assert_eq!(unknown, "", "{name} at {size:?}");
        }
    }
}

/// A keymap in which every action that can have other keys has another one, unlike any key of the table.
fn other_keys() -> Keymap {
    let in_text =
        ["^g", "^j", "^k", "^m", "^o", "^q", "^r", "^t", "^v", "^x", "^y", "f2", "f3", "f7", "f8", "f11", "f12", "^i"];
    let letters: Vec<String> = ('а'..='я').chain('А'..='Я').chain('α'..='ω').map(String::from).collect();
    let mut taken: Vec<(String, &'static Binding)> = Vec::new();
    for binding in bindings() {
        let of_text = binding.on.scopes.iter().any(|scope| scope.takes_text());
        let pool: Vec<String> = if of_text { in_text.map(str::to_owned).to_vec() } else { letters.clone() };
        let meets = |other: &Binding| other.on.scopes.iter().any(|scope| binding.on.scopes.contains(scope));
        let free = pool.into_iter().find(|key| taken.iter().all(|(other, by)| other != key || !meets(by)));
        let alone = BTreeMap::from([(binding.action.to_owned(), vec!["f12".to_owned()])]);
        if !matches!(Keymap::try_from(alone), Err(RemapError::Fixed(_))) {
            taken.push((free.expect("there are enough keys"), binding));
        }
    }
    let table = taken.into_iter().map(|(key, binding)| (binding.action.to_owned(), vec![key]));
    Keymap::try_from(table.collect::<BTreeMap<_, _>>()).expect("no key means two things in one place")
}

#[test]
fn where_every_action_has_another_key_no_screen_names_the_old_one() {
    let (old, new) = (Keymap::default(), other_keys());
    let verbs =
        ["shows", "folds", "goes", "again", "explains", "offers", "stops", "sort", "clears", "sends", "finds", "or"];
    // What is fixed stays.
    let is_changed = |binding: &&Binding| old.keys(binding) != new.keys(binding);
    let fixed: Vec<String> = bindings()
        .filter(|binding| !is_changed(binding))
        .flat_map(|binding| old.keys(binding).iter().map(ToString::to_string))
        .collect();
    for (name, keys) in scenes() {
        let mut app = app((120, 40));
        app.config.settings.keymap = new.clone();
        for code in keys {
            let event = KeyEvent::new(code, KeyModifiers::NONE);
            let key = KeyStroke::pressed(event).expect("no modifier");
            let scope = app.mode.scope(&app.page);
            let binding = old.binding(scope, key);
            let translated = binding.and_then(|binding| new.keys(binding).first()).map_or(event, |key| key.event());
            app.turn(Msg::Key(translated));
        }
        let text = screen(&app);
        let words: Vec<&str> = text.split(|letter: char| letter.is_whitespace() || "\"│".contains(letter)).collect();
        for binding in bindings().filter(is_changed) {
            for key in old.keys(binding).iter().map(ToString::to_string) {
                if key.chars().count() > 1 {
                    assert!(fixed.contains(&key) || !words.contains(&key.as_str()), "{name}: {key}\n{text}");
                }
                for says in verbs.into_iter().chain([binding.name]) {
                    let hint = format!(" {key} {says}");
                    assert!(fixed.contains(&key) || !text.contains(&hint), "{name}: {hint}\n{text}");
                }
            }
        }
    }
}

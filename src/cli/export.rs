//! What the screen writes into a file: the chosen sockets, as `conntop list` prints them.

use std::io;

use crate::app::effect::{Export, ExportFormat};
use crate::report::format::Format;
use crate::report::list::List;
use crate::store::Store;

/// The text of the file, and how many sockets are in it.
pub(in crate::cli) fn text(export: &Export, store: &Store) -> io::Result<(Vec<u8>, usize)> {
    let format = match export.file.format {
        ExportFormat::Ndjson => Format::Ndjson,
        ExportFormat::Csv => Format::Csv,
        ExportFormat::Plain => Format::Plain,
    };
    let list = List { format, ..List::default() };
    let selection = list.select_only(&export.sockets, store);
    let mut text = Vec::new();
    selection.write(&mut text)?;
    Ok((text, selection.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::effect::ExportFile;
    use crate::model::delta::Delta;
    use crate::model::testing::{connection, source_info, tcp};

    #[test]
    fn those_that_are_still_there_are_written_in_each_format() {
        let mut store = Store::new(source_info());
        let added = (1..=3).map(|cookie| connection(tcp(cookie), 0)).collect();
        store.apply(Delta { added, ..Delta::default() });
        let sockets = [1, 3, 9].map(|cookie| tcp(cookie).build().id).to_vec();
        let written = |format| {
            let file = ExportFile { path: String::new(), format };
            let (text, count) = text(&Export { file, sockets: sockets.clone() }, &store).expect("memory takes all");
            (String::from_utf8(text).expect("UTF-8"), count)
        };
        for (format, lines) in [(ExportFormat::Ndjson, 2), (ExportFormat::Csv, 3), (ExportFormat::Plain, 2)] {
            let (text, count) = written(format);
            assert_eq!((text.lines().count(), count), (lines, 2), "{text}");
        }
        let (text, _) = written(ExportFormat::Ndjson);
        let first: serde_json::Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
        assert_eq!((first["host"].is_string(), &first["cookie"]), (true, &1.into()));
    }
}

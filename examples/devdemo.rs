use std::time::Duration;
fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let source = conntop::source::open(&conntop::source::Choice::parse(args.get(1).map_or("synthetic", |s| s))?)?;
    let options = conntop::runtime::ScreenOptions {
        filter: String::new(),
        interval: Duration::from_secs(1),
        read_only: false,
        mouse: true,
        ascii: std::env::var("ASCII").is_ok(),
        color: std::env::var("NO_COLOR").is_err(),
    };
    conntop::runtime::run_screen(source, &options)?;
    Ok(())
}

//! Opens the page of a comparison in headless Chromium and checks that it works: charts are there with their text
//! alternatives, nothing complains, tables sort, nothing is wider than a phone.
//!
//! `cargo run -p benches --example check_page -- target/compare` (or `just page`) prints a line for each check. It ends
//! with status 1 when one fails, and with status 2, and says so, when there is no Chromium to check with: that is no
//! success.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Names under which it is installed.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// What the page is asked, after it has been drawn; the answers are `name=true` or `name=` and what is instead.
const QUESTIONS: &str = r#"<script>
addEventListener("load", () => {
  const answers = [];
  const ask = (name, answer) => answers.push(`${name}=${answer}`);
  const pictures = [...document.querySelectorAll("main svg")];
  ask("charts are there", pictures.length >= 4 || pictures.length);
  const named = (svg) => svg.getAttribute("aria-labelledby").split(" ").every((id) => svg.contains(document.getElementById(id)));
  const mute = pictures.filter((svg) => !(named(svg) && svg.querySelector("title").textContent && svg.querySelector("desc").textContent));
  ask("each has a text alternative", mute.length === 0 || mute.length);
  const flat = pictures.filter((svg) => svg.getBoundingClientRect().height < 20);
  ask("each is drawn", flat.length === 0 || flat.length);
  const column = (table) => [...table.tBodies[0].rows].map((row) => Number(row.children[1].dataset.value));
  const sorted = [...document.querySelectorAll("table")].filter((table) => {
    const button = table.querySelectorAll("th button")[1];
    button.click();
    const falling = column(table).every((value, at, all) => at === 0 || all[at - 1] >= value);
    button.click();
    const rising = column(table).every((value, at, all) => at === 0 || all[at - 1] <= value);
    return falling && rising && button.closest("th").getAttribute("aria-sort") === "ascending";
  });
  const tables = document.querySelectorAll("table").length;
  ask("tables sort, both ways", (tables > 0 && sorted.length === tables) || `${sorted.length} of ${tables}`);
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  ask("no name is given twice", new Set(ids).size === ids.length);
  const unsorted = [...document.querySelectorAll("thead th")].filter((th) => !th.querySelector("button"));
  ask("each heading is a button", unsorted.length === 0 || unsorted.length);
  const stuck = [...document.querySelectorAll(".wide")].filter((box) => box.tabIndex !== 0 || !box.getAttribute("aria-label"));
  ask("each wide part scrolls by keyboard", stuck.length === 0 || stuck.length);
  const answer = document.querySelector(".answers strong");
  ask("the answer is in the first screen", !answer || answer.getBoundingClientRect().bottom < innerHeight || answer.getBoundingClientRect().bottom);
  const lost = [...document.querySelectorAll("a[href^='#']")].filter((a) => !document.getElementById(a.hash.slice(1)));
  ask("each link leads somewhere", lost.length === 0 || lost.map((a) => a.hash));
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  ask("nothing is wider than the window", wide <= 0 || `${wide} px`);
  document.title = "checked";
  const list = document.createElement("pre");
  list.id = "answers";
  list.textContent = answers.join("\n");
  document.body.append(list);
});
</script>"#;

fn main() -> ExitCode {
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| String::from("target/compare"));
    match check(Path::new(&folder)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failed) => {
            eprintln!("NOT CHECKED: {failed}");
            ExitCode::from(2)
        }
    }
}

fn check(folder: &Path) -> Result<bool, Box<dyn std::error::Error>> {
    let browser = BROWSERS
        .into_iter()
        .find(|name| procs::command(name).arg("--version").run().is_ok())
        .ok_or("there is no Chromium on the search path")?;
    let page = std::fs::read_to_string(folder.join("index.html"))
        .map_err(|error| format!("{}: {error}", folder.join("index.html").display()))?;
    let scratch: PathBuf = std::env::temp_dir().join(format!("check-page-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let copy = scratch.join("index.html");
    std::fs::write(
        &copy,
        page.replace("</body>", &format!("{QUESTIONS}</body>")),
    )?;
    let mut good = true;
    for (width, height) in [(1280, 1000), (390, 844)] {
        println!("{width} × {height}");
        good &= visit(browser, &scratch, &copy, width, height)?;
    }
    std::fs::remove_dir_all(scratch)?;
    Ok(good)
}

/// Opens the page in a window of this size and prints the answers; whether all are good.
fn visit(
    browser: &str,
    scratch: &Path,
    page: &Path,
    width: u32,
    height: u32,
) -> Result<bool, Box<dyn std::error::Error>> {
    let output = procs::command(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--enable-logging=stderr",
            "--dump-dom",
        ])
        .arg(format!(
            "--user-data-dir={}",
            scratch.join(format!("profile-{width}")).display()
        ))
        .arg(format!("--window-size={width},{height}"))
        .arg(format!("file://{}", page.display()))
        .timeout(Duration::from_secs(120))
        .run()?;
    let document = output.text();
    let answers = document
        .split("<pre id=\"answers\">")
        .nth(1)
        .and_then(|rest| rest.split("</pre>").next());
    let answers = answers
        .ok_or("the page's questions were not answered: its script did not run to its end")?;
    let log = String::from_utf8_lossy(output.stderr()).into_owned();
    let complaints: Vec<&str> = log
        .lines()
        .filter(|line| line.contains(":CONSOLE"))
        .collect();
    let mut good = complaints.is_empty();
    println!(
        "  {} the console is silent {}",
        mark(good),
        complaints.join("; ")
    );
    for answer in answers.lines() {
        let (name, value) = answer.split_once('=').unwrap_or((answer, ""));
        good &= value == "true";
        println!(
            "  {} {name} {}",
            mark(value == "true"),
            if value == "true" { "" } else { value }
        );
    }
    Ok(good)
}

fn mark(good: bool) -> &'static str {
    if good { "ok " } else { "BAD" }
}

//! Line plots as SVG, without a script: they work in a mail, in a repository and on paper.

use std::fmt::Write as _;

/// Size of a plot in pixels.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 230.0;
/// Space for the numbers around the lines.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 40.0;
const COLOURS: [&str; 6] = ["#1f6fb2", "#c4521c", "#2e8540", "#7a3fa0", "#8a6d00", "#5b6770"];
const GREY: &str = "#555";

/// A line: its name, and points in order of x.
pub struct Line {
    /// What it shows.
    pub name: String,
    /// Points.
    pub points: Vec<(f64, f64)>,
}

/// A plot of lines over the same x.
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// What x is.
    pub x: String,
    /// Lines.
    pub lines: Vec<Line>,
    /// The most that y goes to; as far as the lines do if absent.
    pub top: Option<f64>,
}

impl Plot {
    /// A plot without lines.
    pub fn new(title: &str, x: &str) -> Self {
        Self { title: title.into(), x: x.into(), lines: Vec::new(), top: None }
    }

    /// Adds a line.
    #[must_use]
    pub fn line(mut self, name: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let points = points.into_iter().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
        self.lines.push(Line { name: name.into(), points });
        self
    }

    /// The most that y has in any line.
    pub fn highest(&self) -> f64 {
        self.lines.iter().flat_map(|line| &line.points).map(|point| point.1).fold(0.0, f64::max)
    }

    /// The plot.
    pub fn svg(&self) -> String {
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let low = all().map(|point| point.0).reduce(f64::min).unwrap_or(0.0);
        let high = all().map(|point| point.0).reduce(f64::max).unwrap_or(1.0);
        let (y_step, y_steps) = steps(self.top.unwrap_or_else(|| self.highest()));
        let (width, height) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
        let x = |value: f64| LEFT + (value - low) / (high - low).max(1e-9) * width;
        let y = |value: f64| TOP + height - (value / (y_step * y_steps)).min(1.0) * height;
        let mut out = self.frame();
        for step in 0..=y_steps as u32 {
            let value = f64::from(step) * y_step;
            let (at, right) = (y(value), WIDTH - RIGHT);
            put(
                &mut out,
                format_args!(
                    r##"<line x1="{LEFT}" x2="{right}" y1="{at:.1}" y2="{at:.1}" stroke="#e3e6e8"/>"##
                ),
            );
            put_text(&mut out, (LEFT - 6.0, at + 4.0), "end", GREY, &short(value));
        }
        for (part, anchor) in (0u8..).zip(["start", "middle", "middle", "middle", "end"]) {
            let value = low + (high - low) * f64::from(part) / 4.0;
            put_text(&mut out, (x(value), TOP + height + 15.0), anchor, GREY, &short(value));
        }
        put_text(&mut out, (LEFT + width / 2.0, HEIGHT - 8.0), "middle", GREY, &self.x);
        self.draw(&mut out, x, y);
        out.push_str("</svg>\n");
        out
    }

    /// The beginning: a white ground and the title.
    fn frame(&self) -> String {
        let title = escaped(&self.title);
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" font-family="system-ui, sans-serif" font-size="11" role="img"><title>{title}</title>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>
<text x="8" y="16" font-size="13" font-weight="600" fill="#222">{title}</text>
"##
        )
    }

    fn draw(&self, out: &mut String, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) {
        let mut legend = WIDTH - RIGHT;
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let points: Vec<String> =
                line.points.iter().map(|&(px, py)| format!("{:.1},{:.1}", x(px), y(py))).collect();
            let points = points.join(" ");
            put(
                out,
                format_args!(
                    r#"<polyline fill="none" stroke="{colour}" stroke-width="1.6" points="{points}"/>"#
                ),
            );
            put_text(out, (legend, 16.0), "end", colour, &format!("\u{2501} {}", line.name));
            legend -= 24.0 + 6.2 * line.name.chars().count() as f64;
        }
    }
}

fn put(out: &mut String, element: std::fmt::Arguments<'_>) {
    writeln!(out, "{element}").expect("writing to a string never fails");
}

fn put_text(out: &mut String, (x, y): (f64, f64), anchor: &str, colour: &str, text: &str) {
    let text = escaped(text);
    put(
        out,
        format_args!(r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" fill="{colour}">{text}</text>"#),
    );
}

/// A round step of which a few reach a value, and how many do.
fn steps(top: f64) -> (f64, f64) {
    let rough = top.max(1e-6) / 5.0;
    let unit = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0].map(|factor| factor * unit).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * unit);
    (step, (top / step).ceil().max(1.0))
}

/// A number in few characters: 1.5M, 20k.
pub(crate) fn short(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        a if a >= 1e9 => (value / 1e9, "G"),
        a if a >= 1e6 => (value / 1e6, "M"),
        a if a >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = match scaled.abs() {
        a if a >= 100.0 || a.fract() == 0.0 => 0,
        a if a >= 1.0 => 1,
        _ => 3,
    };
    format!("{scaled:.digits$}{unit}")
}

/// Text as HTML and SVG have it.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_reach_the_top() {
        assert_eq!(steps(10.0), (2.0, 5.0));
        assert_eq!(steps(1_200_000.0), (250_000.0, 5.0));
        let (step, count) = steps(0.0);
        assert!(step > 0.0 && count >= 1.0);
    }

    #[test]
    fn numbers_are_short_and_texts_escaped() {
        let texts = [1_500_000.0, 20_000.0, 7.0, 0.25].map(short);
        assert_eq!(texts, ["1.5M", "20k", "7", "0.250"]);
        let plot = Plot::new("a < b & c", "s").line("l", [(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0)]);
        let svg = plot.svg();
        assert!(svg.contains("a &lt; b &amp; c") && !svg.contains("NaN") && svg.ends_with("</svg>\n"));
        assert!(!Plot::new("nothing", "s").svg().contains("inf"));
    }
}

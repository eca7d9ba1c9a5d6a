//! What all pictures of the page share: a size, a name and a text alternative.

/// A picture, drawn in units of its own.
pub struct Svg<'a> {
    /// What the page's style calls it; may be empty.
    pub class: &'a str,
    /// Its name on the page, of which there is only one.
    pub id: &'a str,
    pub width: f64,
    pub height: f64,
    /// What it shows, in a few words.
    pub title: &'a str,
    /// The same figures in words, for whoever cannot see it.
    pub description: &'a str,
    /// What is drawn.
    pub drawn: &'a str,
}

impl std::fmt::Display for Svg<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            class,
            id,
            width,
            height,
            drawn,
            ..
        } = self;
        let (title, description) = (escape(self.title), escape(self.description));
        write!(
            f,
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">\
             <title id=\"{id}-title\">{title}</title><desc id=\"{id}-desc\">{description}</desc>{drawn}</svg>"
        )
    }
}

/// Text that may stand between tags and in attributes.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

package bench

import (
	"math"
	"slices"
	"strings"
	"text/template"
)

// plot is a picture of ratios, one bar a job of throughput.
type plot struct {
	file, title string
	of          metric
	// less: how many times less than Kafka Connect, else how many times as much.
	less bool
}

var plots = []plot{
	{"cpu.svg", "CPU per record: Kafka Connect over Sluice (all processes)", microsAll, true},
	{"rate.svg", "Records a second: Sluice over Kafka Connect", rate, false},
	{"memory.svg", "Peak memory: Kafka Connect over Sluice (worker, executor)", peak, true},
}

// bar is a job's. From and To are where its noise ends.
type bar struct {
	Job, Text       string
	Y               int
	Width, From, To float64
	Cold            float64 // NaN is left out by HasCold
	HasCold         bool
}

const (
	barHeight = 18
	barsFrom  = 250.0 // where bars begin, from the left
	barsWidth = 560.0 // of the longest
)

var svgOf = template.Must(template.New("").Parse(`<svg xmlns="http://www.w3.org/2000/svg" width="900" height="{{.Height}}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="10" y="20" font-size="15">{{.Title}}</text>
<text x="10" y="36" fill="#666">Bar: median of the warm rounds. Line: noise, A beside A. Dot: the first, cold round. Dashed: as Kafka Connect.</text>
{{range .Bars}}<text x="245" y="{{.Y}}" text-anchor="end">{{.Job}}</text>
<rect x="250" y="{{.Y}}" width="{{printf "%.1f" .Width}}" height="13" transform="translate(0,-11)" fill="#3b7dd8"/>
<line x1="{{printf "%.1f" .From}}" x2="{{printf "%.1f" .To}}" y1="{{.Y}}" y2="{{.Y}}" transform="translate(0,-4.5)" stroke="#123" stroke-width="2"/>
{{if .HasCold}}<circle cx="{{printf "%.1f" .Cold}}" cy="{{.Y}}" r="4" transform="translate(0,-4.5)" fill="#e07b00"/>
{{end}}<text x="{{printf "%.1f" .To}}" y="{{.Y}}" dx="8">{{.Text}}</text>
{{end}}<line x1="{{printf "%.1f" .One}}" x2="{{printf "%.1f" .One}}" y1="44" y2="{{.Height}}" stroke="#c00" stroke-dasharray="4 3"/>
</svg>
`))

// svg is empty where no job has the figure.
func (p *plot) svg(all []Result) string {
	type row struct {
		job                string
		ratio, noise, cold float64
	}
	var rows []row
	most := 1.0
	for i := range all {
		r := &all[i]
		v, cold := r.ratio(p.of), r.cold().ratio(p.of)
		if p.less {
			v, cold = 1/v, 1/cold
		}
		if math.IsNaN(v) || !slices.ContainsFunc(throughput, func(p string) bool { return strings.HasPrefix(r.Job, p) }) {
			continue
		}
		noise := r.noise(p.of)
		if math.IsNaN(noise) {
			noise = 0
		}
		rows = append(rows, row{r.Job, v, noise, cold})
		most = max(most, v*(1+noise))
		if !math.IsNaN(cold) {
			most = max(most, cold)
		}
	}
	if len(rows) == 0 {
		return ""
	}
	scale := barsWidth / most
	var bars []bar
	for i, r := range rows {
		b := bar{Job: r.job, Text: number(r.ratio) + " x", Y: 62 + i*barHeight, Width: r.ratio * scale,
			From: barsFrom + max(0, r.ratio*(1-r.noise))*scale, To: barsFrom + r.ratio*(1+r.noise)*scale}
		if b.HasCold = !math.IsNaN(r.cold); b.HasCold {
			b.Cold = barsFrom + r.cold*scale
		}
		bars = append(bars, b)
	}
	var w strings.Builder
	if err := svgOf.Execute(&w, map[string]any{"Title": p.title, "Bars": bars, "One": barsFrom + scale, "Height": 62 + len(rows)*barHeight}); err != nil {
		panic(err) // the template and its values are this file's
	}
	return w.String()
}

package worker

import (
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

func queryEscape(s string) string { return url.QueryEscape(s) }

// Links are relative, so that the pages work behind the master's reverse proxy.
var pages = template.Must(template.New("pages").Parse(`
{{define "head"}}<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{.}}</title><style>
body{font:14px/1.5 system-ui,sans-serif;margin:2rem;color:#222}table{border-collapse:collapse;margin:.5rem 0 1.5rem}
th,td{border:1px solid #ccc;padding:.25rem .6rem;text-align:left;vertical-align:top}th{background:#f3f3f3}
pre{background:#f7f7f7;padding:1rem;overflow:auto;white-space:pre-wrap}
</style></head><body>{{end}}

{{define "index"}}{{template "head" .Title}}
<h2>{{.Title}}</h2>
<ul>
<li><strong>ID:</strong> {{.ID}}</li>
<li><strong>Master URL:</strong> {{.MasterURL}}</li>
<li><strong>Cores:</strong> {{.Cores}} ({{.CoresUsed}} Used)</li>
<li><strong>Memory:</strong> {{.Memory}} ({{.MemoryUsed}} Used)</li>
<li><strong>Resources:</strong> {{.Resources}}</li>
</ul>
{{with .MasterWebUIURL}}<p><a href="{{.}}">Back to Master</a></p>{{end}}
<h4>Running Executors ({{len .Running}})</h4>
{{template "executors" .Running}}
{{if .Drivers}}<h4>Running Drivers ({{len .Drivers}})</h4>
{{template "drivers" .Drivers}}{{end}}
{{if .Finished}}<h4>Finished Executors ({{len .Finished}})</h4>
{{template "executors" .Finished}}{{end}}
{{if .FinishedDrivers}}<h4>Finished Drivers ({{len .FinishedDrivers}})</h4>
{{template "drivers" .FinishedDrivers}}{{end}}
</body></html>{{end}}

{{define "executors"}}<table>
<tr><th>ExecutorID</th><th>State</th><th>Cores</th><th>Memory</th><th>Resources</th><th>Job Details</th><th>Logs</th></tr>
{{range .}}<tr><td>{{.ID}}</td><td>{{.State}}</td><td>{{.Cores}}</td><td>{{.Memory}}</td><td>{{.Resources}}</td>
<td>ID: {{.AppID}}<br>Name: {{if .AppURL}}<a href="{{.AppURL}}">{{.AppName}}</a>{{else}}{{.AppName}}{{end}}<br>User: {{.User}}</td>
<td><a href="{{.LogLink}}stdout">stdout</a> <a href="{{.LogLink}}stderr">stderr</a></td></tr>
{{end}}</table>{{end}}

{{define "drivers"}}<table>
<tr><th>DriverID</th><th>Main Class</th><th>State</th><th>Cores</th><th>Memory</th><th>Resources</th><th>Logs</th><th>Notes</th></tr>
{{range .}}<tr><td>{{.ID}}</td><td>{{.MainClass}}</td><td>{{.State}}</td><td>{{.Cores}}</td><td>{{.Memory}}</td><td>{{.Resources}}</td>
<td><a href="{{.LogLink}}stdout">stdout</a> <a href="{{.LogLink}}stderr">stderr</a></td><td>{{.Notes}}</td></tr>
{{end}}</table>{{end}}

{{define "log"}}{{template "head" .Title}}
{{with .MasterWebUIURL}}<p><a href="{{.}}">Back to Master</a></p>{{end}}
<p><span id="log-data">Showing {{.Shown}} Bytes: {{.Start}} - {{.End}} of {{.Total}}</span></p>
<p>{{with .Older}}<a href="{{.}}">Load More</a> {{end}}<a href="{{.Newer}}">Load New</a></p>
<pre>{{.Text}}</pre>
</body></html>{{end}}
`))

type indexPage struct {
	Title, ID, MasterURL, MasterWebUIURL string
	Cores, CoresUsed                     int
	Memory, MemoryUsed, Resources        string
	Running, Finished                    []executorRow
	Drivers, FinishedDrivers             []driverRow
}

type driverRow struct {
	ID, MainClass              string
	State                      DriverState
	Cores                      int
	Memory, Resources, LogLink string
	Notes                      string
}

type executorRow struct {
	ID, Cores                               int
	State                                   ExecutorState
	Memory, Resources, AppID, AppName, User string
	AppURL, LogLink                         string
}

func (u *UI) index(w http.ResponseWriter, _ *http.Request) {
	s := u.cfg.Status()
	u.render(w, "index", indexPage{
		Title: "Spark Worker at " + s.ID, ID: s.ID, MasterURL: s.MasterURL, MasterWebUIURL: s.MasterWebUIURL,
		Cores: s.Cores, CoresUsed: s.coresUsed(), Memory: mebibytes(s.MemoryMiB), MemoryUsed: mebibytes(s.memoryUsed()),
		Resources: usageText(s.Resources, s.resourcesUsed()),
		Running:   rows(s.Running), Finished: rows(s.Finished), Drivers: driverRows(s.Drivers), FinishedDrivers: driverRows(s.FinishedDrivers),
	})
}

func driverRows(list []DriverInfo) []driverRow {
	var out []driverRow
	for _, d := range list {
		out = append(out, driverRow{
			ID: d.Spec.RunID, MainClass: d.Spec.mainClass(), State: d.Report.State, Cores: d.Spec.Cores, Memory: mebibytes(d.Spec.MemoryMiB),
			Resources: resourcesText(d.Spec.Resources), LogLink: "logPage/?driverId=" + queryEscape(d.Spec.RunID) + "&logType=", Notes: d.Report.Message,
		})
	}
	return out
}

func rows(list []ExecutorInfo) []executorRow {
	var out []executorRow
	for _, e := range list {
		row := executorRow{
			ID: e.Spec.ExecID, State: e.Report.State, Cores: e.Spec.Cores, Memory: mebibytes(e.Spec.MemoryMiB),
			Resources: resourcesText(e.Spec.Resources), AppID: e.Spec.AppID, AppName: e.Spec.App.Name, User: e.Spec.App.User,
			LogLink: fmt.Sprintf("logPage/?appId=%s&executorId=%d&logType=", queryEscape(e.Spec.AppID), e.Spec.ExecID),
		}
		if e.Report.State == Running {
			row.AppURL = e.Spec.App.UIURL
		}
		out = append(out, row)
	}
	return out
}

type logPageData struct {
	Title, MasterWebUIURL, Older, Newer, Text string
	Shown, Start, End, Total                  int64
}

func (u *UI) logPage(w http.ResponseWriter, r *http.Request) {
	req, err := parseLogRequest(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	piece := u.read(req)
	data := logPageData{
		Title: req.logType + " log page for " + req.name, MasterWebUIURL: u.cfg.Status().MasterWebUIURL,
		Shown: piece.End - piece.Start, Start: piece.Start, End: piece.End, Total: piece.Total,
		Text: strings.ToValidUTF8(string(piece.Text), "\uFFFD"),
	}
	base := "?" + req.query + "&logType=" + queryEscape(req.logType)
	length := max(req.length, 1)
	if piece.Start > 0 {
		from := max(piece.Start-length, 0)
		data.Older = fmt.Sprintf("%s&offset=%d&byteLength=%d", base, from, piece.Start-from)
	}
	data.Newer = fmt.Sprintf("%s&offset=%d&byteLength=%d", base, piece.End, length)
	u.render(w, "log", data)
}

func (u *UI) render(w http.ResponseWriter, name string, data any) {
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	if err := pages.ExecuteTemplate(w, name, data); err != nil {
		u.cfg.Logger.Debug("page not delivered", "page", name, "err", err)
	}
}

// mebibytes writes an amount as Spark's Utils.megabytesToString does: the unit
// is the largest of which there are at least two.
func mebibytes(mib int) string {
	size, unit := float64(mib), "MiB"
	for _, next := range []string{"GiB", "TiB", "PiB"} {
		if size < 2*1024 {
			break
		}
		size, unit = size/1024, next
	}
	return fmt.Sprintf("%.1f %s", size, unit)
}

func resourcesText(resources map[string][]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		parts = append(parts, fmt.Sprintf("%s: [%s]", name, strings.Join(resources[name], ", ")))
	}
	return strings.Join(parts, ", ")
}

func usageText(all, used map[string][]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		free := slices.DeleteFunc(slices.Clone(all[name]), func(a string) bool { return slices.Contains(used[name], a) })
		parts = append(parts, fmt.Sprintf("%s: Free: [%s] / Used: [%s]", name, strings.Join(free, ", "), strings.Join(used[name], ", ")))
	}
	return strings.Join(parts, ", ")
}

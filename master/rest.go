package master

import (
	"net/http"

	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/web/submission"
)

// newREST makes the REST submission server, which answers on its own port and on Spark's RPC port; nil where
// spark.master.rest.enabled is false: then no port has it.
func (m *Master) newREST() (http.Handler, error) {
	rest := m.cfg.Spark.REST
	if !rest.Enabled {
		return nil, nil
	}
	filter, err := submission.NewFilter(rest.Filters, func(class, name string) string {
		if m.cfg.Spark.Conf == nil {
			return ""
		}
		value, _ := m.cfg.Spark.Conf.Text("", "spark."+class+".param."+name)
		return value
	})
	if err != nil {
		return nil, err
	}
	if m.cfg.Spark.Authenticate && len(rest.Filters) == 0 {
		m.log.Warn("REST submissions are not authenticated, though spark.authenticate is set: anybody who reaches the port may submit drivers; see spark.master.rest.filters and spark.master.rest.enabled")
	}
	return filter(&submission.Handler{Backend: submissions{m}, Version: serverVersion()}), nil
}

// serverVersion is what REST answers give as serverSparkVersion: the newest release whose protocol this is.
func serverVersion() string {
	tables := releases.Tables()
	return tables[len(tables)-1].Newest().Version
}

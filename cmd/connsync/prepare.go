package main

import (
	"connsync/conntrackd/apply"
	"connsync/conntrackd/prepare"
)

// preparedItem is one thing about the host in apply --dry-run --json.
type preparedItem struct {
	ID       prepare.ItemID    `json:"id"`
	Title    string            `json:"title"`
	Reason   string            `json:"reason"`
	Status   prepare.ItemState `json:"status"`
	State    prepare.ItemState `json:"state"` // Status under its name of 1.0
	Detail   string            `json:"detail"`
	Commands []string          `json:"commands"`
}

func preparedItems(r apply.Review) []preparedItem {
	list := []preparedItem{}
	for _, i := range r.Preparation.Items {
		list = append(list, preparedItem{i.ID, i.Title, i.Reason, i.State, i.State, i.Detail, orEmpty(i.Commands)})
	}
	return list
}
